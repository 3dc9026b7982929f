"""What an answer looks like in Slack: pure functions from values to Block Kit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from slack_sdk.models.blocks import (
    Block,
    ContextActionsBlock,
    ContextBlock,
    FeedbackButtonObject,
    FeedbackButtonsElement,
    MarkdownBlock,
    MarkdownTextObject,
)

from bot.domain import Answer, Citation, Ending, Thumb
from bot.slack.mrkdwn import link, safe_markdown, safe_mrkdwn
from indexer.documents import Passage

FEEDBACK_ACTION = "feedback"
SEARCHING = "Looking through your documents …"
THANKS = {
    Thumb.UP: "Thank you, noted. Good answers teach me too.",
    Thumb.DOWN: "Thank you, noted. Your vote counts when I am trained next.",
}

# Slack's limits: 12,000 characters in all Markdown blocks, 4,000 in the text of chat.update,
# 3,000 in a text object.
_MARKDOWN_CHARACTERS = 11_000
_FALLBACK_CHARACTERS = 3_500
_CONTEXT_CHARACTERS = 2_900


@dataclass(frozen=True, slots=True)
class Rendered:
    """``text`` is what notifications and old clients show; ``blocks`` what people see."""

    text: str
    blocks: list[dict[str, Any]]


def searching() -> Rendered:
    return Rendered(SEARCHING, _blocks([_context(f":mag: {SEARCHING}")]))


def draft(text: str) -> Rendered:
    """An answer that is still being written."""
    safe = _cut(safe_markdown(text), _MARKDOWN_CHARACTERS)
    return Rendered(
        _cut(safe_mrkdwn(text), _FALLBACK_CHARACTERS),
        _blocks([MarkdownBlock(text=safe), _context(":writing_hand: …")]),
    )


def answered(answer_id: str, answer: Answer) -> Rendered:
    """The whole answer: text, numbered sources, feedback buttons and one line on its origin."""
    parts: list[Block] = [
        MarkdownBlock(text=_cut(safe_markdown(answer.text), _MARKDOWN_CHARACTERS))
    ]
    if answer.citations:
        parts.append(_context("\n".join(_source(citation) for citation in answer.citations)))
    if answer.nearest:
        nearest = "\n".join(f"•  {_title(passage)}" for passage in answer.nearest)
        parts.append(_context(f"The nearest documents I have:\n{nearest}"))
    if answer.ending not in (Ending.SMALL_TALK, Ending.STOPPED):
        parts.append(_feedback(answer_id))
    if origin := _origin(answer):
        parts.append(_context(origin))
    return Rendered(_cut(_fallback(answer), _FALLBACK_CHARACTERS), _blocks(parts))


def apology(sentence: str, reference: str) -> Rendered:
    """A failure: a sentence and a number to quote, never an exception."""
    text = f"{safe_mrkdwn(sentence)} (Reference {reference})"
    return Rendered(text, _blocks([_context(f":warning: {text}")]))


def _origin(answer: Answer) -> str:
    """One line on how the answer came about."""
    line = _ORIGINS.get(answer.ending, "")
    pages = {citation.passage.chunk.document_id for citation in answer.citations}
    if answer.ending is Ending.QUOTED and len(pages) > 1:
        line += " Where pages differ, trust the newest; it stands first."
    return line


_ORIGINS = {
    Ending.QUOTED: "Quoted word for word from your documents.",
    Ending.GENERATED: "Written by a language model from the sources above; "
    "check them before you rely on it.",
    Ending.NOT_FOUND: "I answer only what your documents say. "
    "Other words may help, or a person in this thread.",
}


def _source(citation: Citation) -> str:
    return f"[{citation.number}]  {_title(citation.passage)}"


def _title(passage: Passage) -> str:
    date = f"  ·  {passage.modified:%-d %b %Y}" if passage.modified else ""
    return f"{link(passage.url, passage.context)}{date}"


def _feedback(answer_id: str) -> ContextActionsBlock:
    return ContextActionsBlock(
        elements=[
            FeedbackButtonsElement(
                action_id=FEEDBACK_ACTION,
                positive_button=FeedbackButtonObject(
                    text="Good answer",
                    value=f"{Thumb.UP}:{answer_id}",
                    accessibility_label="This answer is good",
                ),
                negative_button=FeedbackButtonObject(
                    text="Bad answer",
                    value=f"{Thumb.DOWN}:{answer_id}",
                    accessibility_label="This answer is wrong or does not help",
                ),
            )
        ]
    )


def _fallback(answer: Answer) -> str:
    lines = [safe_mrkdwn(answer.text)]
    lines += [_source(citation) for citation in answer.citations]
    return "\n".join(lines)


def _context(text: str) -> ContextBlock:
    return ContextBlock(elements=[MarkdownTextObject(text=_cut(text, _CONTEXT_CHARACTERS))])


def _blocks(parts: Sequence[Block]) -> list[dict[str, Any]]:
    return [part.to_dict() for part in parts]


def _cut(text: str, limit: int) -> str:
    """At most ``limit`` characters, ending at a line's end where one is near."""
    if len(text) <= limit:
        return text
    head = text[: limit - 2]
    newline = head.rfind("\n")
    return f"{head[:newline] if newline > limit // 2 else head} …"
