"""From what people said to exchanges: what may be learned from, and why the rest may not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from adapters.dataset.consent import Consent
from adapters.dataset.examples import Source
from adapters.dataset.exchanges import REFUSAL, Exchange, Grounded, exchange_id, ground
from adapters.settings import DatasetTable
from bot.answering.route import wants_help
from bot.domain.values import (
    Answer,
    Citation,
    Correction,
    CorrectionKind,
    Ending,
    Question,
    Reason,
    Thumb,
)
from bot.records.feedback import Judged
from indexer.documents import Passage
from indexer.stores.base import IndexedDocument

_BELIEVED = 0.5


class LeftOut(StrEnum):
    """Why nothing is learned from an answer, in the words of the report."""

    NOT_JUDGED = "no votes"
    PEOPLE_DISAGREE = "as many thumbs up as down"
    NOT_OPTED_IN = "asked where nobody opted in"
    PRIVATE = "rests on private text that is not opted in"
    DELETED = "rests on a document that is gone, or that its readers may not see any more"
    NO_CONSENT = "its correction may not be learned from"
    RETRIEVAL_FAILED = "retrieval failed, which no better wording mends"
    NOT_IN_PASSAGES = "the correction stands in no passage that was found"
    OUTDATED = "its documents are outdated: mend them, not the model"
    NOT_FOR_ME = "not for the person who asked: says nothing about the answer"
    NOTHING_SHOWN = "there is no passage to show beside it"
    SMALL_TALK = "small talk"
    STOPPED = "stopped while it was written"
    DUPLICATE = "says the same as another"
    REPEATED = "repeats a question that is trained on"
    STRUCK = "struck in a review"


@dataclass(slots=True)
class Collected:
    """``judged`` by people; ``unjudged`` hold the given answer as good, which is not known."""

    judged: list[Exchange] = field(default_factory=list)
    unjudged: list[Exchange] = field(default_factory=list)
    left_out: Counter[LeftOut] = field(default_factory=Counter)
    askers: dict[str, str] = field(default_factory=dict)
    """By exchange; they go no further than the report's shares."""


def collect(
    everything: Iterable[Judged], documents: Mapping[str, IndexedDocument], table: DatasetTable
) -> Collected:
    """Everything that people judged and that may be learned from.

    ``documents`` are those indexed now, with the audiences they have now.
    """
    consent = Consent(documents, table.opted_in)
    collected = Collected()
    for judged in everything:
        made = _exchange(judged, consent, table.support)
        if isinstance(made, LeftOut):
            collected.left_out[made] += 1
            continue
        collected.askers[made.id] = judged.answer.question.asker
        if made.people:
            collected.judged.append(made)
        else:
            collected.unjudged.append(made)
            collected.left_out[LeftOut.NOT_JUDGED] += 1
    return collected


def _exchange(judged: Judged, consent: Consent, support: float) -> Exchange | LeftOut:
    correction = _usable(judged.corrections)
    if not correction and not consent.opens(judged):
        return LeftOut.NOT_OPTED_IN
    if judged.answer.ending is Ending.STOPPED:
        return LeftOut.STOPPED
    if wants_help(judged.answer.question.text):
        return LeftOut.SMALL_TALK  # help names sources and pages of its own readers
    reader = judged.answer.question.audience
    answer = replace(
        judged.answer,
        passages=tuple(consent.readable(judged.answer.passages, reader)),
        citations=tuple(
            Citation(citation.number, passage)
            for citation in judged.answer.citations
            for passage in consent.readable([citation.passage], reader)
        ),
    )
    if len(answer.citations) < len(judged.answer.citations):
        return LeftOut.DELETED
    if not all(consent.may_be_learned(citation.passage) for citation in answer.citations):
        return LeftOut.PRIVATE
    found = tuple(filter(consent.may_be_learned, answer.passages))
    judged = replace(judged, answer=answer)
    return _corrected(judged, correction, found, support) if correction else _voted(judged, found)


def _corrected(
    judged: Judged, correction: Correction, found: tuple[Passage, ...], support: float
) -> Exchange | LeftOut:
    if correction.reason is Reason.NOT_FOUND:
        return LeftOut.RETRIEVAL_FAILED
    if correction.reason is Reason.NOT_FOR_ME:
        return LeftOut.NOT_FOR_ME
    good = ground(correction.text, found, support)
    if good is None:
        return LeftOut.NOT_IN_PASSAGES
    is_reply = correction.kind is CorrectionKind.ESCALATION
    source = Source.ESCALATION if is_reply else Source.CORRECTION
    bad = _given(judged.answer)
    return _made(judged, source, good=good, bad=bad, seen=found)


def _voted(judged: Judged, found: tuple[Passage, ...]) -> Exchange | LeftOut:
    answer = judged.answer
    ups = sum(vote.thumb is Thumb.UP for vote in judged.votes)
    downs = len(judged.votes) - ups
    given = _given(answer)
    if answer.ending is Ending.SMALL_TALK:
        rightly = ups > downs
        return _small_talk(judged) if rightly else LeftOut.SMALL_TALK
    if not found:
        return LeftOut.NOTHING_SHOWN
    if not judged.votes:
        made = _made(judged, Source.RLAIF, good=given, seen=found)
        return replace(made, people=0)
    if ups == downs:
        return LeftOut.PEOPLE_DISAGREE
    if ups > downs:
        return _made(judged, Source.VOTE, good=given, seen=found)
    return _why_not(judged) or _made(judged, Source.VOTE, bad=given, seen=found)


def _why_not(judged: Judged) -> LeftOut | None:
    """What a thumb down is about, where it is not about how the answer was written."""
    reasons = {correction.reason for correction in judged.corrections if correction.reason}
    if Reason.NOT_FOUND in reasons or not judged.answer.citations:
        return LeftOut.RETRIEVAL_FAILED
    if Reason.OUTDATED in reasons:
        return LeftOut.OUTDATED
    if reasons == {Reason.NOT_FOR_ME}:
        return LeftOut.NOT_FOR_ME
    if any(correction.text and not correction.may_learn for correction in judged.corrections):
        return LeftOut.NO_CONSENT
    return None


def _usable(corrections: Iterable[Correction]) -> Correction | None:
    """Of those that may be learned from: a reply of a person who was asked, else the newest."""
    usable = [one for one in corrections if one.may_learn and one.text.strip()]
    return max(
        usable,
        key=lambda one: (one.kind is CorrectionKind.ESCALATION, one.given_at),
        default=None,
    )


def _given(answer: Answer) -> Grounded:
    """What was answered, as a model would have to say it."""
    if answer.ending is Ending.NOT_FOUND:
        return REFUSAL
    return Grounded(answer.text, tuple(citation.passage for citation in answer.citations))


def _small_talk(judged: Judged) -> Exchange:
    made = _made(judged, Source.VOTE, good=Grounded(judged.answer.text))
    return replace(made, needs_documents=False)


def _made(
    judged: Judged,
    source: Source,
    *,
    good: Grounded | None = None,
    bad: Grounded | None = None,
    seen: tuple[Passage, ...] = (),
) -> Exchange:
    question = _standing_alone(judged.answer)
    told = (good or bad or REFUSAL).text
    used = {passage.chunk.id for each in (good, bad) if each for passage in each.passages}
    used |= _taken_for_relevant(judged.answer)
    return Exchange(
        id=exchange_id(question.text, told),
        question=question,
        source=source,
        good=good,
        bad=bad,
        seen=tuple(passage for passage in seen if passage.chunk.id not in used),
        asked_at=judged.asked_at,
        people=max(1, len({one.voter for one in judged.votes})),
    )


def _taken_for_relevant(answer: Answer) -> set[str]:
    """Chunks that the bot itself believed to answer: not cited, they are still no distractors."""
    return {
        reflection.subject
        for reflection in answer.reflections
        if reflection.kind in {"relevant", "evidence"} and reflection.probability >= _BELIEVED
    }


def _standing_alone(answer: Answer) -> Question:
    """As it was searched for and put to the model: without its thread."""
    return replace(answer.question, text=answer.searched or answer.question.text, history=())
