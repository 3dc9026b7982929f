"""reactions.*: emoji under messages."""

import re

from bot.workspace.errors import Refused
from bot.workspace.state.models import Message, Payload
from bot.workspace.state.workspace_state import WorkspaceState
from bot.workspace.web_api.api import Method
from bot.workspace.web_api.arguments import Arguments
from bot.workspace.wire.shapes import message_shape, reactions_shape

NAME = re.compile(r"[a-z0-9_+'-]+(::skin-tone-[2-6])?")


class ReactionMethods:
    def __init__(self, state: WorkspaceState) -> None:
        self._state = state

    def table(self) -> dict[str, Method]:
        return {
            "reactions.add": self.add,
            "reactions.remove": self.remove,
            "reactions.get": self.get,
        }

    def add(self, arguments: Arguments) -> Payload:
        message = self._message(arguments)
        self._state.react(message.channel, message.ts, self._state.bot.id, _name(arguments))
        return {}

    def remove(self, arguments: Arguments) -> Payload:
        message = self._message(arguments)
        self._state.unreact(message.channel, message.ts, self._state.bot.id, _name(arguments))
        return {}

    def get(self, arguments: Arguments) -> Payload:
        message = self._message(arguments)
        shape = message_shape(self._state, message) | {"reactions": reactions_shape(message)}
        return {"type": "message", "channel": message.channel, "message": shape}

    def _message(self, arguments: Arguments) -> Message:
        channel_id = arguments.required("channel")
        self._state.joined_channel(channel_id, self._state.bot.id)
        return self._state.message(channel_id, arguments.required("timestamp"))


def _name(arguments: Arguments) -> str:
    name = arguments.required("name").strip(":")
    if not NAME.fullmatch(name):
        raise Refused("invalid_name")
    return name
