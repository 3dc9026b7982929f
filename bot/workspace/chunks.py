"""How the chunks of a stream add up to the blocks of a message."""

from collections.abc import Iterable, Sequence

from bot.workspace.errors import Refused
from bot.workspace.models import Payload

STATUSES = ("pending", "in_progress", "complete", "error")
TITLE_LIMIT = 256


def check_chunks(chunks: Sequence[Payload]) -> None:
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


def text_of(chunks: Iterable[Payload]) -> str:
    """The Markdown text the chunks carry."""
    return "".join(chunk["text"] for chunk in chunks if chunk["type"] == "markdown_text")


def add_chunks(
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
