"""Messages that are written while people watch."""

from collections.abc import Sequence
from dataclasses import replace

from bot.workspace.changes import SessionStopped
from bot.workspace.chunks import add_chunks, check_chunks, text_of
from bot.workspace.errors import Refused
from bot.workspace.models import Message, Payload, Stream, StreamState
from bot.workspace.state import WorkspaceState


class Streams:
    """Starts, feeds and ends streams. One lives `lifetime` seconds, whatever is appended."""

    def __init__(self, state: WorkspaceState, *, lifetime: float = 300.0) -> None:
        self._state = state
        self._in_progress: set[tuple[str, str]] = set()
        self.lifetime = lifetime

    def start(
        self,
        channel_id: str,
        user_id: str,
        thread_ts: str,
        chunks: Sequence[Payload],
        *,
        recipient: str | None = None,
        shows_plan: bool = False,
    ) -> Message:
        check_chunks(chunks)
        message = self._state.post(
            channel_id,
            user_id,
            text_of(chunks),
            blocks=add_chunks((), chunks, shows_plan=shows_plan),
            blocks_from_text=True,
            thread_ts=thread_ts,
            stream=Stream("in_progress", self._state.clock(), recipient, shows_plan),
        )
        self._in_progress.add((message.channel, message.ts))
        return message

    def append(self, channel_id: str, ts: str, user_id: str, chunks: Sequence[Payload]) -> Message:
        check_chunks(chunks)
        message, stream = self._open(channel_id, ts, user_id)
        return self._state.put(_extended(message, stream, chunks), announced=False)

    def stop(
        self,
        channel_id: str,
        ts: str,
        user_id: str,
        chunks: Sequence[Payload],
        *,
        blocks: Sequence[Payload] = (),
        metadata: Payload | None = None,
    ) -> Message:
        """Completes the message; `blocks` come to stand below everything that was streamed."""
        check_chunks(chunks)
        message, stream = self._open(channel_id, ts, user_id)
        message = _extended(message, stream, chunks)
        self._in_progress.discard((message.channel, message.ts))
        return self._state.put(
            replace(
                message,
                blocks=(*message.blocks, *blocks),
                metadata=metadata or message.metadata,
                stream=replace(stream, state="completed"),
            )
        )

    def stop_by_person(self, channel_id: str, ts: str, user_id: str) -> None:
        """A person has read enough of a message: the bot's next append is refused."""
        message = self._state.message(channel_id, ts)
        if not message.is_streaming or not message.visible_to(user_id):
            raise Refused("message_not_in_streaming_state")
        self.stop_session(channel_id, message.root_ts, user_id)

    def stop_session(self, channel_id: str, thread_ts: str, user_id: str) -> None:
        """A person stops whatever the bot does in a thread; the bot is told.

        Its streams end. Its status line stays until the bot clears it, as Slack has it.
        """
        self._state.joined_channel(channel_id, user_id)
        streaming = [
            message
            for message in self._state.thread(channel_id, thread_ts)
            if message.is_streaming and message.visible_to(user_id)
        ]
        for message in streaming:
            self._ended(message, "stopped_by_user")
        stopped = tuple(message.ts for message in streaming)
        self._state.changes.publish(SessionStopped(channel_id, thread_ts, user_id, stopped))

    def expire_overdue(self) -> None:
        """Ends the streams that have lived their time."""
        for channel_id, ts in list(self._in_progress):
            message = self._state.message(channel_id, ts)
            if message.stream is not None and self._overdue(message.stream):
                self._ended(message, "expired")

    def _open(self, channel_id: str, ts: str, user_id: str) -> tuple[Message, Stream]:
        self.expire_overdue()
        message = self._state.message(channel_id, ts)
        if message.user != user_id:
            raise Refused("message_not_owned_by_app")
        if message.stream is not None and message.stream.state == "stopped_by_user":
            raise Refused("stopped_by_user")
        if message.stream is None or message.stream.state != "in_progress":
            raise Refused("message_not_in_streaming_state")
        return message, message.stream

    def _overdue(self, stream: Stream) -> bool:
        age = self._state.clock() - stream.started
        return stream.state == "in_progress" and age >= self.lifetime

    def _ended(self, message: Message, state: StreamState) -> Message:
        if message.stream is None:
            raise Refused("message_not_in_streaming_state")
        self._in_progress.discard((message.channel, message.ts))
        return self._state.put(replace(message, stream=replace(message.stream, state=state)))


def _extended(message: Message, stream: Stream, chunks: Sequence[Payload]) -> Message:
    return replace(
        message,
        text=message.text + text_of(chunks),
        blocks=add_chunks(message.blocks, chunks, shows_plan=stream.shows_plan),
    )
