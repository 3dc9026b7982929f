"""Golden questions: what a team asks and how it should be answered, written by people.

A JSON Lines file; each line has ``question`` and ``answer``, an empty one where the documents hold
none, and may have ``audience`` (one principal or a list, ``public`` unless set).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from adapters.dataset.examples import Source
from adapters.dataset.exchanges import REFUSAL, Exchange, exchange_id, ground
from adapters.errors import DatasetError
from adapters.runs.files import numbered_lines
from bot.domain.values import Question
from indexer.documents import Audience, Passage

Retrieve = Callable[[Question], Sequence[Passage]]
"""The passages that the bot would find for a question, best first."""


class GoldenQuestion(BaseModel):
    """One line of the file."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    question: Annotated[str, BeforeValidator(lambda text: str(text).strip())]
    answer: str
    audience: str | list[str] = "public"


def read_golden(path: Path) -> Iterator[GoldenQuestion]:
    """Raises DatasetError with the number of a damaged line."""
    for number, line in numbered_lines(path, "golden questions"):
        try:
            yield GoldenQuestion.model_validate(json.loads(line))
        except (ValidationError, ValueError) as error:
            raise DatasetError(
                f'{path}, line {number}: write {{"question": "…", "answer": "…"}}, with an empty '
                "answer where the documents hold none."
            ) from error


def golden_exchange(golden: GoldenQuestion, retrieve: Retrieve, support: float) -> Exchange | None:
    """The question with the passages found for it; None where none of them holds the answer.

    Raises AudienceError for an unknown principal.
    """
    name = exchange_id(golden.question, golden.answer)
    question = Question(
        id=f"golden:{name}",
        text=golden.question,
        audience=Audience.parse(golden.audience),
        channel="golden",
        thread=name,
    )
    found = tuple(retrieve(question))
    good = ground(golden.answer, found, support) if golden.answer.strip() else REFUSAL
    if good is None or not found:
        return None
    cited = {passage.chunk.id for passage in good.passages}
    return Exchange(
        id=name,
        question=question,
        source=Source.GOLDEN,
        good=good,
        seen=tuple(passage for passage in found if passage.chunk.id not in cited),
    )
