"""chat.startStream, chat.appendStream and chat.stopStream."""

from typing import Any

from bot.workspace.block_kit.block_rules import MARKDOWN_LIMIT, check_message_blocks
from bot.workspace.block_kit.blocks import named
from bot.workspace.errors import Refused
from bot.workspace.state.models import Payload
from bot.workspace.state.streams import Streams
from bot.workspace.state.workspace_state import WorkspaceState
from bot.workspace.web_api.api import Method
from bot.workspace.web_api.arguments import Arguments
from bot.workspace.web_api.methods.chat import read_blocks, read_metadata
from bot.workspace.wire.shapes import message_shape


class StreamingMethods:
    def __init__(self, state: WorkspaceState, streams: Streams) -> None:
        self._state = state
        self._streams = streams

    def table(self) -> dict[str, Method]:
        return {
            "chat.startStream": self.start,
            "chat.appendStream": self.append,
            "chat.stopStream": self.stop,
        }

    def start(self, arguments: Arguments) -> Payload:
        channel = self._state.channel(arguments.required("channel"))
        recipient = self._recipient(arguments) if not channel.is_im else None
        message = self._streams.start(
            channel.id,
            self._state.bot.id,
            arguments.required("thread_ts"),
            _read_chunks(arguments),
            recipient=recipient,
            shows_plan=arguments.text("task_display_mode") == "plan",
        )
        return {"channel": channel.id, "ts": message.ts}

    def append(self, arguments: Arguments) -> Payload:
        channel_id, ts = arguments.required("channel"), arguments.required("ts")
        self._streams.append(channel_id, ts, self._state.bot.id, _read_chunks(arguments))
        return {"channel": channel_id, "ts": ts}

    def stop(self, arguments: Arguments) -> Payload:
        channel_id, ts = arguments.required("channel"), arguments.required("ts")
        message = self._streams.stop(
            channel_id,
            ts,
            self._state.bot.id,
            _read_chunks(arguments),
            blocks=read_blocks(arguments) if "blocks" in arguments else (),
            metadata=read_metadata(arguments),
        )
        shape = message_shape(self._state, message, with_metadata=True)
        return {"channel": channel_id, "ts": ts, "message": shape}

    def _recipient(self, arguments: Arguments) -> str:
        for name in ("recipient_user_id", "recipient_team_id"):
            if not arguments.text(name):
                raise Refused(f"missing_{name}")
        return self._state.person(arguments.text("recipient_user_id")).id


def _read_chunks(arguments: Arguments) -> list[Payload]:
    """The call's chunks; its markdown_text counts as the first of them."""
    markdown = arguments.text("markdown_text")
    if len(markdown) > MARKDOWN_LIMIT:
        raise Refused("msg_too_long")
    chunks: Any = arguments.structure("chunks") or []
    if not isinstance(chunks, list) or not all(isinstance(chunk, dict) for chunk in chunks):
        raise Refused("invalid_chunks")
    first = [{"type": "markdown_text", "text": markdown}] if markdown else []
    return [*first, *(_checked(chunk) for chunk in chunks)]


def _checked(chunk: Payload) -> Payload:
    if chunk.get("type") == "blocks":
        return chunk | {"blocks": named(check_message_blocks(chunk.get("blocks")))}
    if chunk.get("type") == "markdown_text" and len(str(chunk.get("text"))) > MARKDOWN_LIMIT:
        raise Refused("msg_too_long")
    return chunk
