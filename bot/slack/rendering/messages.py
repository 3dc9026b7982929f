"""Whole messages: an answer with its sources and buttons, apologies, notes, lists for admins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.domain.values import Answer, Asked, AttachedFile, Citation, Ending, Occasion, Thumb
from bot.slack.rendering.blocks import (
    Block,
    actions,
    button,
    context,
    header,
    plain_text,
    section,
)
from bot.slack.rendering.mrkdwn import cut, cut_markdown, link, safe_markdown, safe_mrkdwn
from bot.slack.rendering.phrases import Phrases, phrases_in
from indexer.documents import Passage

FEEDBACK_ACTION = "feedback"
ASK_PERSON_ACTION = "ask_person"
SHARE_ACTION = "share"
FILE_MEGABYTES = 10
BEGINNING = "file_beginning"
"""The refusal of a file that was read, but not to its end."""

# Slack's limits: 12,000 characters in all Markdown blocks, 4,000 in the text of chat.update,
# 3,000 in a text object, 50 blocks in a message.
MARKDOWN_CHARACTERS = 11_000
_FALLBACK_CHARACTERS = 3_500
_APOLOGY_CHARACTERS = 2_900
_QUESTION_CHARACTERS = 200
_BLOCKS = 50


@dataclass(frozen=True, slots=True)
class SlackMessage:
    """``text`` is what notifications and old clients show; people see ``body``, which is Markdown
    and may have been streamed before, and the blocks of ``tail`` below it.
    """

    text: str
    body: str = ""
    tail: list[Block] = field(default_factory=list)

    @property
    def blocks(self) -> list[Block]:
        body = [{"type": "markdown", "text": self.body}] if self.body else []
        return [*body, *self.tail][:_BLOCKS]

    @property
    def arguments(self) -> dict[str, Any]:
        """For the calls that post or update a message."""
        return {"text": cut(self.text, _FALLBACK_CHARACTERS), "blocks": self.blocks}


def searching(phrases: Phrases) -> SlackMessage:
    return SlackMessage(phrases.searching, tail=[context(f":mag: {phrases.searching}")])


def draft(text: str) -> SlackMessage:
    """An answer that is still being written."""
    return SlackMessage(
        cut(safe_mrkdwn(text), _FALLBACK_CHARACTERS),
        cut_markdown(safe_markdown(text), MARKDOWN_CHARACTERS),
        [context(":writing_hand: …")],
    )


def answered(
    answer_id: str, answer: Answer, asked: Asked | None = None, phrases: Phrases | None = None
) -> SlackMessage:
    """The whole answer: text, numbered sources, buttons and one line on its origin.

    ``asked`` tells where it goes, which decides the buttons, and what was attached.
    """
    phrases = phrases or phrases_in()
    body = cut_markdown(safe_markdown(answer.text), MARKDOWN_CHARACTERS, phrases.too_long)
    parts: list[Block] = []
    if asked and asked.occasion in (Occasion.COMMAND, Occasion.SHORTCUT):
        parts.append(context(phrases.asked.format(question=_quoted(asked.text))))
    if answer.citations:
        parts.append(context("\n".join(_source(citation) for citation in answer.citations)))
    if answer.nearest:
        nearest = "\n".join(f"•  {_title(passage)}" for passage in answer.nearest)
        parts.append(context(f"{phrases.nearest}\n{nearest}"))
    if unread := [file for file in asked.files if file.refusal] if asked else []:
        parts.append(context("\n".join(f":paperclip: {_unread(f, phrases)}" for f in unread)))
    if answer.ending not in (Ending.SMALL_TALK, Ending.STOPPED):
        parts += [_feedback(answer_id, phrases), *_buttons(answer_id, asked, phrases)]
    if origin := _origin(answer, phrases):
        parts.append(context(origin))
    return SlackMessage(cut(_fallback(answer), _FALLBACK_CHARACTERS), body, parts)


def apology(sentence: str, reference: str, phrases: Phrases | None = None) -> SlackMessage:
    """A failure: a sentence and a number to quote, never an exception."""
    numbered = (phrases or phrases_in()).reference.format(reference=reference)
    text = cut(f"{safe_mrkdwn(sentence)} ({numbered})", _APOLOGY_CHARACTERS)
    return SlackMessage(text, f":warning: {safe_markdown(sentence)} ({numbered})")


def note(text: str, *buttons: Block) -> SlackMessage:
    """A sentence of our own to one person, with what they may press."""
    return SlackMessage(text, tail=[context(text), *([actions(*buttons)] if buttons else [])])


def paragraph(text: str) -> SlackMessage:
    """Our own words to an admin; what others wrote goes through ``safe_line`` first."""
    return SlackMessage(text, tail=[section(text)])


def listing(title: str, rows: Sequence[str], nothing: str) -> SlackMessage:
    """A heading and a list, or a sentence where there is nothing to list."""
    text = "\n".join(rows) or nothing
    return SlackMessage(f"{title}\n{text}", tail=[header(title), section(text)])


def _buttons(answer_id: str, asked: Asked | None, phrases: Phrases) -> list[Block]:
    """Owners can be called where there are any, and what one person asked can be shared."""
    if asked and not asked.is_direct:
        return [actions(button(phrases.ask_person, ASK_PERSON_ACTION, answer_id))]
    if asked and asked.occasion is Occasion.COMMAND and not asked.channel.startswith("D"):
        return [actions(button(phrases.share, SHARE_ACTION, answer_id))]
    return []


def _origin(answer: Answer, phrases: Phrases) -> str:
    """One line on how the answer came about."""
    line = {
        Ending.QUOTED: phrases.quoted,
        Ending.GENERATED: phrases.generated,
        Ending.NOT_FOUND: phrases.not_found,
    }.get(answer.ending, "")
    pages = {citation.passage.chunk.document_id for citation in answer.citations}
    if answer.ending is Ending.QUOTED and len(pages) > 1:
        line += f" {phrases.newest}"
    return line


def _unread(file: AttachedFile, phrases: Phrases) -> str:
    """``refusal`` names one of our phrases, or is what the reader of the file said."""
    if file.refusal == BEGINNING:
        return phrases.file_beginning.format(name=_quoted(file.name))
    reason = str(getattr(phrases, file.refusal, "") or file.refusal)
    reason = reason.replace("{megabytes}", str(FILE_MEGABYTES))
    return phrases.file_unread.format(name=_quoted(file.name), reason=safe_mrkdwn(reason))


def _quoted(text: str) -> str:
    return safe_mrkdwn(cut(" ".join(text.split()), _QUESTION_CHARACTERS))


def _source(citation: Citation) -> str:
    return f"[{citation.number}]  {_title(citation.passage)}"


def _title(passage: Passage) -> str:
    date = f"  ·  {passage.modified:%-d %b %Y}" if passage.modified else ""
    return f"{link(passage.url, passage.context)}{date}"


def _feedback(answer_id: str, phrases: Phrases) -> Block:
    def thumb(which: Thumb, label: str, read_aloud: str) -> Block:
        return {
            "text": plain_text(label),
            "value": f"{which}:{answer_id}",
            "accessibility_label": read_aloud,
        }

    buttons = {
        "type": "feedback_buttons",
        "action_id": FEEDBACK_ACTION,
        "positive_button": thumb(Thumb.UP, phrases.good, phrases.good_label),
        "negative_button": thumb(Thumb.DOWN, phrases.bad, phrases.bad_label),
    }
    return {"type": "context_actions", "elements": [buttons]}


def _fallback(answer: Answer) -> str:
    lines = [safe_mrkdwn(answer.text)]
    lines += [_source(citation) for citation in answer.citations]
    return "\n".join(lines)
