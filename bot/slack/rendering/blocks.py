"""What an answer looks like in Slack: pure functions from values to Block Kit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from slack_sdk.models.blocks import (
    ActionsBlock,
    Block,
    ButtonElement,
    ContextActionsBlock,
    ContextBlock,
    FeedbackButtonObject,
    FeedbackButtonsElement,
    MarkdownBlock,
    MarkdownTextObject,
)

from bot.domain.values import Answer, Asked, AttachedFile, Citation, Ending, Occasion, Thumb
from bot.slack.rendering.mrkdwn import cut, cut_markdown, link, safe_markdown, safe_mrkdwn
from bot.slack.rendering.phrases import Phrases, phrases
from indexer.documents import Passage

FEEDBACK_ACTION = "feedback"
ASK_PERSON_ACTION = "ask_person"
SHARE_ACTION = "share"
FILE_MEGABYTES = 10

# Slack's limits: 12,000 characters in all Markdown blocks, 4,000 in the text of chat.update,
# 3,000 in a text object.
MARKDOWN_CHARACTERS = 11_000
_FALLBACK_CHARACTERS = 3_500
_CONTEXT_CHARACTERS = 2_900
_QUESTION_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Rendered:
    """``text`` is what notifications and old clients show; people see ``body``, which is Markdown
    and may have been streamed before, and the blocks of ``tail`` below it.
    """

    text: str
    body: str = ""
    tail: list[dict[str, Any]] = field(default_factory=list)

    @property
    def blocks(self) -> list[dict[str, Any]]:
        return [*([MarkdownBlock(text=self.body).to_dict()] if self.body else []), *self.tail]


def searching(spoken: Phrases) -> Rendered:
    return Rendered(spoken.searching, tail=_dicts([context(f":mag: {spoken.searching}")]))


def draft(text: str) -> Rendered:
    """An answer that is still being written."""
    return Rendered(
        cut(safe_mrkdwn(text), _FALLBACK_CHARACTERS),
        cut_markdown(safe_markdown(text), MARKDOWN_CHARACTERS),
        _dicts([context(":writing_hand: …")]),
    )


def answered(
    answer_id: str, answer: Answer, asked: Asked | None = None, spoken: Phrases | None = None
) -> Rendered:
    """The whole answer: text, numbered sources, buttons and one line on its origin.

    ``asked`` tells where it goes, which decides the buttons, and what was attached.
    """
    spoken = spoken or phrases()
    body = cut_markdown(safe_markdown(answer.text), MARKDOWN_CHARACTERS, spoken.too_long)
    parts: list[Block] = []
    if asked and asked.occasion in (Occasion.COMMAND, Occasion.SHORTCUT):
        parts.append(context(spoken.asked.format(question=_quoted(asked.text))))
    if answer.citations:
        parts.append(context("\n".join(_source(citation) for citation in answer.citations)))
    if answer.nearest:
        nearest = "\n".join(f"•  {_title(passage)}" for passage in answer.nearest)
        parts.append(context(f"{spoken.nearest}\n{nearest}"))
    if unread := [file for file in asked.files if file.refusal] if asked else []:
        parts.append(context("\n".join(f":paperclip: {_unread(f, spoken)}" for f in unread)))
    if answer.ending not in (Ending.SMALL_TALK, Ending.STOPPED):
        parts += [_feedback(answer_id, spoken), *_buttons(answer_id, asked, spoken)]
    if origin := _origin(answer, spoken):
        parts.append(context(origin))
    return Rendered(cut(_fallback(answer), _FALLBACK_CHARACTERS), body, _dicts(parts))


def apology(sentence: str, reference: str, spoken: Phrases | None = None) -> Rendered:
    """A failure: a sentence and a number to quote, never an exception."""
    numbered = (spoken or phrases()).reference.format(reference=reference)
    text = cut(f"{safe_mrkdwn(sentence)} ({numbered})", _CONTEXT_CHARACTERS)
    return Rendered(text, f":warning: {safe_markdown(sentence)} ({numbered})")


def note(text: str, buttons: Sequence[ButtonElement] = ()) -> Rendered:
    """A sentence of our own to one person, with what they may press."""
    parts: list[Block] = [context(text)]
    if buttons:
        parts.append(ActionsBlock(elements=list(buttons)))
    return Rendered(text, tail=_dicts(parts))


def button(action: str, label: str, value: str) -> ButtonElement:
    return ButtonElement(action_id=action, text=label, value=value)


def context(text: str) -> ContextBlock:
    return ContextBlock(elements=[MarkdownTextObject(text=cut(text, _CONTEXT_CHARACTERS))])


def _buttons(answer_id: str, asked: Asked | None, spoken: Phrases) -> list[Block]:
    """Owners can be called where there are any, and what one person asked can be shared."""
    if asked and not asked.is_direct:
        return [
            ActionsBlock(elements=[button(ASK_PERSON_ACTION, spoken.ask_person, answer_id)]),
        ]
    if asked and asked.occasion is Occasion.COMMAND and not asked.channel.startswith("D"):
        return [ActionsBlock(elements=[button(SHARE_ACTION, spoken.share, answer_id)])]
    return []


def _origin(answer: Answer, spoken: Phrases) -> str:
    """One line on how the answer came about."""
    line = {
        Ending.QUOTED: spoken.quoted,
        Ending.GENERATED: spoken.generated,
        Ending.NOT_FOUND: spoken.not_found,
    }.get(answer.ending, "")
    pages = {citation.passage.chunk.document_id for citation in answer.citations}
    if answer.ending is Ending.QUOTED and len(pages) > 1:
        line += f" {spoken.newest}"
    return line


def _unread(file: AttachedFile, spoken: Phrases) -> str:
    """``refusal`` names one of our phrases, or is what the reader of the file said."""
    reason = str(getattr(spoken, file.refusal, "") or file.refusal)
    reason = reason.replace("{megabytes}", str(FILE_MEGABYTES))
    return spoken.file_unread.format(name=_quoted(file.name), reason=safe_mrkdwn(reason))


def _quoted(text: str) -> str:
    return safe_mrkdwn(cut(" ".join(text.split()), _QUESTION_CHARACTERS))


def _source(citation: Citation) -> str:
    return f"[{citation.number}]  {_title(citation.passage)}"


def _title(passage: Passage) -> str:
    date = f"  ·  {passage.modified:%-d %b %Y}" if passage.modified else ""
    return f"{link(passage.url, passage.context)}{date}"


def _feedback(answer_id: str, spoken: Phrases) -> ContextActionsBlock:
    return ContextActionsBlock(
        elements=[
            FeedbackButtonsElement(
                action_id=FEEDBACK_ACTION,
                positive_button=FeedbackButtonObject(
                    text=spoken.good,
                    value=f"{Thumb.UP}:{answer_id}",
                    accessibility_label=spoken.good_label,
                ),
                negative_button=FeedbackButtonObject(
                    text=spoken.bad,
                    value=f"{Thumb.DOWN}:{answer_id}",
                    accessibility_label=spoken.bad_label,
                ),
            )
        ]
    )


def _fallback(answer: Answer) -> str:
    lines = [safe_mrkdwn(answer.text)]
    lines += [_source(citation) for citation in answer.citations]
    return "\n".join(lines)


def _dicts(parts: Sequence[Block]) -> list[dict[str, Any]]:
    return [part.to_dict() for part in parts]
