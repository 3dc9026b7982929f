"""chat.*: posting, changing and deleting messages."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from bot.workspace.block_kit.block_rules import MARKDOWN_LIMIT, check_message_blocks
from bot.workspace.block_kit.blocks import named
from bot.workspace.errors import Refused
from bot.workspace.state.models import Message, Payload
from bot.workspace.state.workspace_state import WorkspaceState
from bot.workspace.web_api.api import Method
from bot.workspace.web_api.arguments import Arguments
from bot.workspace.wire.composing import linked_text
from bot.workspace.wire.references import previewed
from bot.workspace.wire.shapes import message_shape

TEXT_LIMIT = 40_000
"""Characters after which Slack cuts the text of a new message."""

UPDATE_LIMIT = 4_000
"""Characters chat.update accepts as text."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a call wants a message to say."""

    text: str
    blocks: Sequence[Payload] | None
    blocks_from_text: bool


class ChatMethods:
    def __init__(self, state: WorkspaceState) -> None:
        self._state = state

    def table(self) -> dict[str, Method]:
        return {
            "chat.postMessage": self.post_message,
            "chat.postEphemeral": self.post_ephemeral,
            "chat.update": self.update,
            "chat.delete": self.delete,
            "chat.getPermalink": self.get_permalink,
        }

    def post_message(self, arguments: Arguments) -> Payload:
        message = self._state.post(
            self._conversation(arguments),
            self._state.bot.id,
            **self._new_message(arguments),
            metadata=read_metadata(arguments),
        )
        return self._answer(self._with_previews(message, arguments))

    def post_ephemeral(self, arguments: Arguments) -> Payload:
        channel_id = arguments.required("channel")
        user_id = arguments.required("user")
        if user_id not in self._state.joined_channel(channel_id, self._state.bot.id).members:
            raise Refused("user_not_in_channel")
        message = self._state.post(
            channel_id,
            self._state.bot.id,
            **self._new_message(arguments),
            ephemeral_to=user_id,
        )
        return {"message_ts": message.ts}

    def update(self, arguments: Arguments) -> Payload:
        message = self._own(arguments, "cant_update_message")
        if message.is_streaming:
            raise Refused("streaming_state_conflict")
        content = read_content(arguments)
        if not content.blocks_from_text and len(content.text) > UPDATE_LIMIT:
            raise Refused("msg_too_long")
        updated = self._state.put(
            replace(
                _with_content(message, content),
                metadata=read_metadata(arguments) or message.metadata,
                edited_ts=message.edited_ts if content.blocks else self._state.next_ts(),
            )
        )
        return {**self._answer(updated), "text": updated.text}

    def delete(self, arguments: Arguments) -> Payload:
        message = self._own(arguments, "cant_delete_message")
        self._state.delete(message.channel, message.ts, self._state.bot.id)
        return {"channel": message.channel, "ts": message.ts}

    def get_permalink(self, arguments: Arguments) -> Payload:
        channel = self._state.readable_channel(arguments.required("channel"), self._state.bot.id)
        message = self._state.message(channel.id, arguments.required("message_ts"))
        query = urlencode({"channel": channel.id, "thread": message.root_ts})
        return {"channel": channel.id, "permalink": f"{self._state.url}?{query}"}

    def _with_previews(self, message: Message, arguments: Arguments) -> Message:
        """The message with the previews Slack would add: pictures, and pages where asked."""
        pages = arguments.flag("unfurl_links")
        media = "unfurl_media" not in arguments or arguments.flag("unfurl_media")
        previews = previewed(message, pages=pages, media=media)
        if not previews:
            return message
        return self._state.put(replace(message, previews=previews), announced=False)

    def _conversation(self, arguments: Arguments) -> str:
        """A user's id stands for his direct conversation with the bot."""
        channel_id = arguments.required("channel")
        if channel_id.startswith("U"):
            return self._state.direct_channel(channel_id).id
        return channel_id

    def _new_message(self, arguments: Arguments) -> Payload:
        content = read_content(arguments)
        text = content.text[:TEXT_LIMIT]
        if arguments.flag("link_names") or arguments.text("parse") == "full":
            text = linked_text(self._state, text)
        return {
            "text": text,
            "blocks": content.blocks or (),
            "blocks_from_text": content.blocks_from_text,
            "thread_ts": arguments.text("thread_ts") or None,
        }

    def _own(self, arguments: Arguments, otherwise: str) -> Message:
        channel_id, ts = arguments.required("channel"), arguments.required("ts")
        self._state.joined_channel(channel_id, self._state.bot.id)
        message = self._state.message(channel_id, ts)
        if message.ephemeral_to is not None:
            raise Refused("message_not_found")
        if message.user != self._state.bot.id:
            raise Refused(otherwise)
        return message

    def _answer(self, message: Message) -> Payload:
        shape = message_shape(self._state, message, with_metadata=True)
        return {"channel": message.channel, "ts": message.ts, "message": shape}


def read_content(arguments: Arguments) -> Content:
    """The text and blocks of a call; raises Refused where there is neither."""
    markdown = arguments.text("markdown_text")
    if markdown and ("text" in arguments or "blocks" in arguments):
        raise Refused("markdown_text_conflict")
    if len(markdown) > MARKDOWN_LIMIT:
        raise Refused("msg_too_long")
    if markdown:
        return Content(markdown, named([{"type": "markdown", "text": markdown}]), True)
    text = arguments.text("text")
    blocks = read_blocks(arguments) if "blocks" in arguments else None
    if not text.strip() and not blocks:
        raise Refused("no_text")
    return Content(text, blocks, False)


def read_blocks(arguments: Arguments) -> tuple[Payload, ...]:
    return named(check_message_blocks(arguments.structure("blocks") or []))


def read_metadata(arguments: Arguments) -> Payload | None:
    metadata = arguments.structure("metadata")
    if metadata is None:
        return None
    if not isinstance(metadata, dict) or not metadata.get("event_type"):
        raise Refused("invalid_metadata_format")
    return metadata


def _with_content(message: Message, content: Content) -> Message:
    """Blocks a bot chose outlive an update that brings only text; made ones do not."""
    if content.blocks is not None:
        return replace(
            message,
            text=content.text,
            blocks=tuple(content.blocks),
            blocks_from_text=content.blocks_from_text,
        )
    kept = () if message.blocks_from_text else message.blocks
    return replace(message, text=content.text, blocks=kept, blocks_from_text=False)
