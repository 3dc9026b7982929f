"""Questions and general examples to compare models on, none of which either was trained on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from adapters.dataset.deduplicate import SimilarTexts
from adapters.dataset.examples import (
    Example,
    Item,
    Kind,
    LabelledAnswer,
    PreferencePair,
    read_items,
)
from adapters.dataset.exchanges import exchange_id
from adapters.dataset.golden import read_golden
from adapters.runs.manifest import Manifest
from bot.answering.cite import without_marks
from bot.domain.values import Question
from indexer.documents import Audience

_NEAR_DUPLICATE = 0.8


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A question with the answer people want, without marks; "" where the documents hold none."""

    question: Question
    reference: str

    @property
    def id(self) -> str:
        return self.question.id

    @property
    def is_answerable(self) -> bool:
        return bool(self.reference)


@dataclass(frozen=True, slots=True)
class Questions:
    """``repeated`` counts golden questions that were left out: something like them was trained
    on.
    """

    asked: tuple[HeldOut, ...]
    general: tuple[Example, ...]
    repeated: int = 0

    @property
    def answerable(self) -> int:
        return sum(one.is_answerable for one in self.asked)


def questions(dataset: Manifest, golden: Path | None, general: int) -> Questions:
    """The held-out part of a dataset, and golden questions of which nothing was trained on.

    ``general`` is the most examples against forgetting: held-out ones, then those of the
    validation part. Raises DatasetError for a damaged file, AudienceError for an unknown
    reader.
    """
    held_out = list(read_items(dataset.output("held_out"), Example))
    validation = read_items(dataset.output("validation"), Example)
    asked = {one.id: one for one in _asked(held_out)}
    kept, repeated = [], 0
    if golden is not None:
        known = SimilarTexts(_NEAR_DUPLICATE)
        for text in _taught_questions(dataset):
            known.add(text)
        everything = list(_golden(golden))
        kept = [one for one in everything if one.question.text not in known]
        repeated = len(everything) - len(kept)
    asked |= {one.id: one for one in kept}
    replayed = [one for one in (*held_out, *validation) if one.kind is Kind.REPLAY]
    return Questions(tuple(asked.values()), tuple(replayed[:general]), repeated)


def _asked(examples: Iterable[Example]) -> Iterator[HeldOut]:
    for example in examples:
        if example.kind in (Kind.ANSWER, Kind.REFUSAL):
            origin = example.origin
            is_refusal = example.kind is Kind.REFUSAL
            yield HeldOut(
                Question(origin.exchange, origin.question, Audience.parse(origin.audience)),
                "" if is_refusal else without_marks(example.completion),
            )


def _golden(path: Path) -> Iterator[HeldOut]:
    for one in read_golden(path):
        name = exchange_id(one.question, one.answer)
        question = Question(name, one.question, Audience.parse(one.audience))
        yield HeldOut(question, without_marks(one.answer))


def _taught_questions(dataset: Manifest) -> set[str]:
    """Of everything that training may have seen."""
    found = _questions_of(dataset, Example, "train", "validation")
    found |= _questions_of(dataset, PreferencePair, "preferences", "preferences_validation")
    found |= _questions_of(dataset, LabelledAnswer, "thumbs", "thumbs_validation", "ai_feedback")
    return found - {""}


def _questions_of(dataset: Manifest, item: type[Item], *names: str) -> set[str]:
    return {
        each.origin.question for name in names for each in read_items(dataset.output(name), item)
    }
