"""What people do with the bot's buttons, modals and commands, and what comes of it."""

from collections.abc import Mapping
from typing import Any

from bot.workspace.block_kit.blocks import find_element
from bot.workspace.block_kit.element_rules import offered
from bot.workspace.block_kit.forms import action_of, filled, missing
from bot.workspace.delivery.deliveries import Deliveries
from bot.workspace.delivery.response_urls import ResponseUrls
from bot.workspace.errors import Refused, WorkspaceError
from bot.workspace.state.models import Message, Payload
from bot.workspace.state.views import View
from bot.workspace.state.workspace_state import WorkspaceState
from bot.workspace.web_api.manifest import AppManifest
from bot.workspace.web_api.methods.views import read_view
from bot.workspace.wire.shapes import message_shape, view_shape


class Interactions:
    """Sends interactions to the bot and carries out what it acknowledges them with.

    Every method raises WorkspaceError, with a sentence for the person, where the bot is
    not there or does not acknowledge in time.
    """

    def __init__(
        self,
        state: WorkspaceState,
        deliveries: Deliveries,
        response_urls: ResponseUrls,
        manifest: AppManifest,
    ) -> None:
        self._state = state
        self._deliveries = deliveries
        self._response_urls = response_urls
        self._manifest = manifest
        self._feedback: dict[tuple[str, str, str], dict[str, str]] = {}

    def feedback(self, user_id: str, channel_id: str, ts: str) -> dict[str, str]:
        """What a person last pressed on a message's feedback buttons, by action_id."""
        return dict(self._feedback.get((user_id, channel_id, ts), {}))

    async def click(
        self, user_id: str, channel_id: str, ts: str, action_id: str, value: Any = None
    ) -> None:
        """Presses a button, or chooses in an element, of a message."""
        message = self._visible(user_id, channel_id, ts)
        block, element = find_element(message.blocks, action_id)
        action = action_of(block, element, value, self._state.next_ts())
        await self._deliveries.request(
            "interactive",
            {
                **self._actor("block_actions", user_id),
                **self._message_context(user_id, message),
                "container": _container(message),
                "state": {"values": {}},
                "actions": [action],
            },
        )
        if element["type"] == "feedback_buttons":
            self._feedback.setdefault((user_id, channel_id, ts), {})[action_id] = action["value"]
            self._state.put(self._state.message(channel_id, ts), announced=False)

    async def click_in_view(
        self,
        user_id: str,
        view_id: str,
        action_id: str,
        value: Any = None,
        answers: Mapping[str, Any] | None = None,
    ) -> None:
        """Presses a button, or chooses in an element, of a modal or the App Home."""
        view = self._own_view(user_id, view_id)
        block, element = find_element(view.definition["blocks"], action_id)
        values = filled(view.definition["blocks"], answers or {})
        await self._deliveries.request(
            "interactive",
            {
                **self._actor("block_actions", user_id),
                "container": {"type": "view", "view_id": view.id},
                "view": view_shape(self._state, view, values),
                "actions": [action_of(block, element, value, self._state.next_ts())],
            },
        )

    async def submit(
        self, user_id: str, view_id: str, answers: Mapping[str, Any]
    ) -> dict[str, str]:
        """Submits a modal; returns what is wrong by block_id, {} where it was accepted."""
        view = self._own_view(user_id, view_id)
        values = filled(view.definition["blocks"], answers)
        problems = missing(view.definition["blocks"], values)
        if problems:
            return problems
        answer = await self._deliveries.request(
            "interactive",
            {
                **self._actor("view_submission", user_id),
                "view": view_shape(self._state, view, values),
                "response_urls": [],
            },
        )
        return self._carry_out(view, answer)

    async def close(self, user_id: str, view_id: str) -> None:
        """Closes a modal; the bot hears of it where it asked to."""
        view = self._own_view(user_id, view_id)
        self._state.views.close(view)
        if view.definition.get("notify_on_close"):
            await self._deliveries.request(
                "interactive",
                {
                    **self._actor("view_closed", user_id),
                    "view": view_shape(self._state, view),
                    "is_cleared": False,
                },
            )

    async def command(self, user_id: str, channel_id: str, command: str, text: str) -> None:
        """Types a slash command; whatever it is acknowledged with shows to that person."""
        if not self._manifest.knows(command):
            raise WorkspaceError(f"{command} is not a valid command.")
        channel = self._state.joined_channel(channel_id, user_id)
        person = self._state.person(user_id)
        answer = await self._deliveries.request(
            "slash_commands",
            {
                "token": "local",
                "team_id": self._state.team_id,
                "team_domain": "local",
                "channel_id": channel.id,
                "channel_name": "directmessage" if channel.is_im else channel.name,
                "user_id": person.id,
                "user_name": person.name,
                "command": command,
                "text": text,
                "api_app_id": self._state.app_id,
                "is_enterprise_install": "false",
                "response_url": self._response_urls.issue(user_id, channel_id),
                "trigger_id": self._state.views.issue_trigger(user_id),
            },
        )
        if answer.get("text") or answer.get("blocks"):
            self._response_urls.answer(user_id, channel_id, answer)

    async def shortcut(self, user_id: str, channel_id: str, ts: str, callback_id: str) -> None:
        """Chooses a message shortcut from a message's menu."""
        message = self._visible(user_id, channel_id, ts)
        await self._deliveries.request(
            "interactive",
            {
                **self._actor("message_action", user_id),
                **self._message_context(user_id, message),
                "callback_id": callback_id,
                "message_ts": ts,
                "action_ts": self._state.next_ts(),
            },
        )

    async def global_shortcut(self, user_id: str, callback_id: str) -> None:
        """Chooses a shortcut that belongs to no message."""
        await self._deliveries.request(
            "interactive",
            {
                **self._actor("shortcut", user_id),
                "callback_id": callback_id,
                "action_ts": self._state.next_ts(),
            },
        )

    async def suggest(
        self, user_id: str, place: Mapping[str, str], action_id: str, typed: str
    ) -> list[Payload]:
        """The options the bot offers for what was typed into an external select.

        `place` names either a `view_id` or a `channel` and `ts`.
        """
        context: Payload
        if place.get("view_id"):
            view = self._own_view(user_id, place["view_id"])
            blocks, context = view.definition["blocks"], {"view": view_shape(self._state, view)}
        else:
            message = self._visible(user_id, place["channel"], place["ts"])
            blocks, context = message.blocks, self._message_context(user_id, message)
        block, element = find_element(blocks, action_id)
        answer = await self._deliveries.request(
            "interactive",
            {
                **self._actor("block_suggestion", user_id),
                **context,
                "action_id": element["action_id"],
                "block_id": block["block_id"],
                "value": typed,
            },
        )
        return offered(answer)

    def _carry_out(self, view: View, answer: Payload) -> dict[str, str]:
        """Does what the acknowledgement of a submission asks for."""
        match answer.get("response_action"):
            case None:
                self._state.views.close(view)
            case "clear":
                self._state.views.clear(view.owner)
            case "update":
                self._state.views.update(view, read_view(answer.get("view"), "modal"))
            case "push":
                self._state.views.push_for(view.owner, read_view(answer.get("view"), "modal"))
            case "errors":
                return dict(answer.get("errors") or {})
            case unknown:
                raise WorkspaceError(f"The bot answered with an unknown action: {unknown}.")
        return {}

    def _visible(self, user_id: str, channel_id: str, ts: str) -> Message:
        self._state.joined_channel(channel_id, user_id)
        message = self._state.message(channel_id, ts)
        if not message.visible_to(user_id):
            raise Refused("message_not_found")
        return message

    def _own_view(self, user_id: str, view_id: str) -> View:
        view = self._state.views.view(view_id)
        if view.owner != user_id:
            raise Refused("not_found")
        return view

    def _actor(self, kind: str, user_id: str) -> Payload:
        person = self._state.person(user_id)
        team_id = self._state.team_id
        user = {"id": person.id, "username": person.name, "name": person.name, "team_id": team_id}
        return {
            "type": kind,
            "user": user,
            "api_app_id": self._state.app_id,
            "token": "local",
            "team": {"id": team_id, "domain": "local"},
            "enterprise": None,
            "is_enterprise_install": False,
            "trigger_id": self._state.views.issue_trigger(user_id),
        }

    def _message_context(self, user_id: str, message: Message) -> Payload:
        channel = self._state.channel(message.channel)
        thread_ts = message.thread_ts if message.is_reply else None
        return {
            "channel": {
                "id": channel.id,
                "name": "directmessage" if channel.is_im else channel.name,
            },
            "message": message_shape(self._state, message, with_metadata=True),
            "response_url": self._response_urls.issue(
                user_id, channel.id, message_ts=message.ts, thread_ts=thread_ts
            ),
        }


def _container(message: Message) -> Payload:
    container: Payload = {
        "type": "message",
        "message_ts": message.ts,
        "channel_id": message.channel,
        "is_ephemeral": message.ephemeral_to is not None,
    }
    return container | ({"thread_ts": message.thread_ts} if message.is_reply else {})
