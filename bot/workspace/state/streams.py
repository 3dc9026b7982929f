"""Messages that are written while people watch, and how their chunks add up to blocks."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from bot.workspace.errors import Refused
from bot.workspace.state.changes import SessionStopped
from bot.workspace.state.models import Message, Payload, Stream, StreamState
from bot.workspace.state.workspace_state import WorkspaceState


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
        _check_chunks(chunks)
        message = self._state.post(
            channel_id,
            user_id,
            _text_of(chunks),
            blocks=_add_chunks((), chunks, shows_plan=shows_plan),
            blocks_from_text=True,
            thread_ts=thread_ts,
            stream=Stream("in_progress", self._state.clock(), recipient, shows_plan),
        )
        self._in_progress.add((message.channel, message.ts))
        return message

    def append(self, channel_id: str, ts: str, user_id: str, chunks: Sequence[Payload]) -> Message:
        _check_chunks(chunks)
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
        _check_chunks(chunks)
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
        text=message.text + _text_of(chunks),
        blocks=_add_chunks(message.blocks, chunks, shows_plan=stream.shows_plan),
    )


STATUSES = ("pending", "in_progress", "complete", "error")
TITLE_LIMIT = 256


def _check_chunks(chunks: Sequence[Payload]) -> None:
    """Raises Refused("invalid_chunks") where a chunk is not one Slack knows."""
    for index, chunk in enumerate(chunks):
        problem = _problem(chunk)
        if problem:
            raise Refused("invalid_chunks", [f"[ERROR] {problem} [json-pointer:/chunks/{index}]"])


def _problem(chunk: Payload) -> str:
    match chunk.get("type"):
        case "markdown_text":
            return "" if isinstance(chunk.get("text"), str) else "missing required field: text"
        case "task_update":
            if not chunk.get("id") or not chunk.get("title"):
                return "missing required field: id and title"
            if len(chunk["title"]) > TITLE_LIMIT:
                return f"title must be less than {TITLE_LIMIT + 1} characters"
            return "" if chunk.get("status") in STATUSES else f"status must be one of {STATUSES}"
        case "plan_update":
            return "" if chunk.get("title") else "missing required field: title"
        case "blocks":
            return "" if isinstance(chunk.get("blocks"), list) else "missing required field: blocks"
        case unknown:
            return f"unsupported chunk type: {unknown}"


def _text_of(chunks: Iterable[Payload]) -> str:
    """The Markdown text the chunks carry."""
    return "".join(chunk["text"] for chunk in chunks if chunk["type"] == "markdown_text")


def _add_chunks(
    blocks: Sequence[Payload], chunks: Iterable[Payload], *, shows_plan: bool
) -> tuple[Payload, ...]:
    """The blocks of a streamed message after these chunks.

    Text continues the last Markdown block. A task replaces the task of the same id, and
    joins the message's plan where the stream shows one.
    """
    result = list(blocks)
    for chunk in chunks:
        match chunk["type"]:
            case "markdown_text":
                _add_text(result, chunk["text"])
            case "task_update":
                _add_task(result, _task(chunk), shows_plan=shows_plan)
            case "plan_update":
                _set_plan(result, title=chunk["title"])
            case "blocks":
                result.extend(chunk["blocks"])
    return tuple(result)


def _add_text(blocks: list[Payload], text: str) -> None:
    if blocks and blocks[-1]["type"] == "markdown":
        blocks[-1] = blocks[-1] | {"text": blocks[-1]["text"] + text}
    elif text:
        blocks.append({"type": "markdown", "text": text})


def _add_task(blocks: list[Payload], task: Payload, *, shows_plan: bool) -> None:
    if shows_plan or any(block["type"] == "plan" for block in blocks):
        _set_plan(blocks, task=task)
        return
    blocks[:] = _merged(blocks, task)


def _set_plan(blocks: list[Payload], *, title: str = "", task: Payload | None = None) -> None:
    """Updates the message's one plan, which stands first and takes in any loose tasks."""
    plan = next((block for block in blocks if block["type"] == "plan"), None)
    loose = [block for block in blocks if block["type"] == "task_card"]
    tasks = list(plan["tasks"]) if plan else loose
    if task is not None:
        tasks = _merged(tasks, task)
    heading = title or (plan["title"] if plan else "") or (tasks[0]["title"] if tasks else "")
    rest = [block for block in blocks if block["type"] not in ("plan", "task_card")]
    blocks[:] = [{"type": "plan", "title": heading, "tasks": tasks}, *rest]


def _merged(blocks: Sequence[Payload], task: Payload) -> list[Payload]:
    if not any(block.get("task_id") == task["task_id"] for block in blocks):
        return [*blocks, task]
    return [block | task if block.get("task_id") == task["task_id"] else block for block in blocks]


def _task(chunk: Payload) -> Payload:
    task: Payload = {
        "type": "task_card",
        "task_id": chunk["id"],
        "title": chunk["title"],
        "status": chunk["status"],
    }
    for field in ("details", "output"):
        if chunk.get(field):
            task[field] = _rich_text(chunk[field])
    if chunk.get("sources"):
        task["sources"] = chunk["sources"]
    return task


def _rich_text(text: str) -> Payload:
    section = {"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}
    return {"type": "rich_text", "elements": [section]}
