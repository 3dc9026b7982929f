"""AI feedback: a model judges by a written constitution what no person has judged (RLAIF).

Opt-in, by ``[adapters.dataset] ai_feedback``. Its labels are marked as a model's (source ``rlaif``,
0 people) and lie in a file of their own, which the stage prefer reads beside people's thumbs. What
people judged is not judged again. Bai et al. 2022 ("Constitutional AI", arXiv:2212.08073) and Lee
et al. 2023 ("RLAIF vs. RLHF", arXiv:2309.00267).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from adapters.dataset.examples import LabelledAnswer, Source
from adapters.dataset.prompt_sample import PromptSample
from adapters.errors import DatasetError
from bot.domain.prompts import NO, YES
from bot.domain.values import Message
from bot.serving.model import LanguageModel

CONSTITUTION = Path(__file__).with_name("constitution.md")
_PRINCIPLE = re.compile(r"^\d+\.\s+(.+?)(?=^\d+\.|\Z)", re.MULTILINE | re.DOTALL)
_SURE = 0.8

_ROLE = """\
You judge answers that an assistant gave to questions of a team. You are shown the conversation, \
with the passages that the assistant was given, and then one principle."""


def principles(constitution: Path = CONSTITUTION) -> list[str]:
    """The numbered sentences of the file. Raises DatasetError where there are none."""
    try:
        text = constitution.read_text(encoding="utf-8")
    except OSError as error:
        raise DatasetError(f"The constitution {constitution} cannot be read: {error}") from error
    found = [" ".join(match[1].split()) for match in _PRINCIPLE.finditer(text)]
    if not found:
        raise DatasetError(f"{constitution} holds no principles: number them 1., 2., …")
    return found


def ai_feedback(
    samples: Iterable[PromptSample], judge: LanguageModel, rules: list[str]
) -> Iterator[LabelledAnswer]:
    """A label for each given answer of which the judge is sure.

    An answer is desirable where every principle surely holds, undesirable where one surely does
    not, and left alone in between. Raises ModelError.
    """
    for sample in samples:
        if sample.exchange.good is None:
            continue
        answer = sample.said(sample.exchange.good)
        holds = _probabilities(judge, sample, answer, rules)
        if min(holds) >= _SURE or min(holds) <= 1 - _SURE:
            yield LabelledAnswer(
                messages=sample.prompt,
                completion=answer,
                label=min(holds) >= _SURE,
                origin=replace(sample.exchange.origin, source=Source.RLAIF),
                people=0,
            )


def _probabilities(
    judge: LanguageModel, sample: PromptSample, answer: str, rules: list[str]
) -> list[float]:
    """Of each principle, how probably the answer keeps it, in 0..1."""
    asked = "\n\n".join(message.content for message in sample.prompt if message.role == "user")
    prefix = [Message("system", _ROLE), Message("user", f"{asked}\n\nThe answer:\n{answer}")]
    probes = [
        f"Answer {YES} or {NO}: does the answer keep this principle? {rule}" for rule in rules
    ]
    return [yes for yes, _ in judge.choose(prefix, probes, (YES, NO))]
