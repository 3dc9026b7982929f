"""Control flow on the passages of RGB (Chen et al. 2023): right, counterfactual and noise.

The model's words and judgements are scripted by the data set's own labels; retrieval, the
evidence gate, the choice of pairs and what is posted are real.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.answering.pipeline import Pipeline
from bot.domain.values import Answer, Ending, Message, Question
from bot.serving.lending import FixedModels
from indexer.documents import Audience
from indexer.index import Index, open_index
from indexer.settings import FilesSource, IndexSettings
from tests.services.scripted_model import ScriptedModel

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "rgb" / "en_fact.json"
RECORDS = 30
_PASSAGE = re.compile(r'<passage number="(\d+)"[^>]*>\n(.*?)\n</passage>', re.DOTALL)

pytestmark = pytest.mark.skipif(not DATA.exists(), reason="the RGB data set is not here")


@dataclass(frozen=True)
class Record:
    query: str
    answer: str
    fake: str
    right: list[str]
    wrong: list[str]
    noise: list[str]

    def holds(self, text: str) -> bool:
        return self.answer.lower() in text.lower()

    def deceives(self, text: str) -> bool:
        return self.fake.lower() in text.lower() and not self.holds(text)


def records() -> list[Record]:
    found = []
    for line in DATA.read_text(encoding="utf-8").splitlines():
        one = json.loads(line)
        if isinstance(one["answer"], str) and isinstance(one["fakeanswer"], str):
            found.append(
                Record(
                    one["query"],
                    one["answer"],
                    one["fakeanswer"],
                    one["positive"],
                    one["positive_wrong"],
                    one["negative"],
                )
            )
    return found[:RECORDS]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Iterator[Index]:
    folder = tmp_path_factory.mktemp("rgb")
    for number, record in enumerate(records()):
        for kind in ("right", "wrong", "noise"):
            for place, text in enumerate(getattr(record, kind)):
                (folder / f"{number}-{kind}-{place}.txt").write_text(text, encoding="utf-8")
    settings = IndexSettings(
        data_dir=tmp_path_factory.mktemp("index"),
        cache_dir=cache_dir,
        sources=(FilesSource(name="rgb", path=folder, audience=("public",)),),
    )
    with open_index(settings) as index:
        index.sync()
        yield index


def passages_in(messages: Sequence[Message]) -> dict[int, str]:
    prompt = "\n".join(message.content for message in messages if message.role == "user")
    return {int(number): text for number, text in _PASSAGE.findall(prompt)}


class LabelledModel(ScriptedModel):
    """Judges by the labels; its answer has a right sentence, an invention and one on noise."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.passages: dict[int, str] = {}
        super().__init__(self._written, judge=self._judged)

    def _written(self, messages: Sequence[Message]) -> str:
        right = [n for n, text in passages_in(messages).items() if self.record.holds(text)]
        noise = [n for n, text in passages_in(messages).items() if not self._relevant(text)]
        sentences = [f"It is {self.record.answer} [{n}]." for n in right[:1]]
        sentences += [f"Nobody had expected that to happen so early [{n}]." for n in right[:1]]
        sentences += [f"{passages_in(messages)[n].split('.')[0]} [{n}]." for n in noise[:1]]
        return " ".join(sentences) or "NOTHING FOUND"

    def _relevant(self, text: str) -> bool:
        return self.record.holds(text) or self.record.deceives(text)

    def _judged(self, prefix: Sequence[Message], probe: str) -> float:
        passages = self.passages = passages_in(prefix)
        numbers = [int(n) for n in re.findall(r"\d+", probe)]
        if "help to answer" in probe:
            return float(self._relevant(passages[numbers[0]]))
        if "contradict" in probe:
            one, other = (passages[n] for n in numbers)
            right, wrong = self.record.holds, self.record.deceives
            return float((right(one) and wrong(other)) or (wrong(one) and right(other)))
        return 1.0


def answered(index: Index, model: LabelledModel) -> Answer:
    question = Question("q", model.record.query, Audience.of("public"))
    return Pipeline(index, FixedModels(model)).answer(question)


def test_noise_is_dropped_and_inventions_are_cut(index: Index) -> None:
    generated = 0
    for record in records():
        answer = answered(index, LabelledModel(record))
        for citation in answer.citations:
            text = citation.passage.chunk.text
            assert record.holds(text) or record.deceives(text)
        assert "Nobody had expected" not in answer.text
        generated += answer.ending is Ending.GENERATED
    assert generated >= RECORDS / 2


def test_counterfactual_passages_are_named_beside_the_right_ones(index: Index) -> None:
    named = 0
    for record in records():
        model = LabelledModel(record)
        answer = answered(index, model)
        texts = list(model.passages.values())
        both = any(map(record.holds, texts)) and any(map(record.deceives, texts))
        if answer.ending is Ending.GENERATED and both:
            assert "These sources disagree:" in answer.text, record.query
            cited = [citation.passage.chunk.text for citation in answer.citations]
            assert any(map(record.deceives, cited))
            named += 1
    assert named >= RECORDS / 3


def test_a_question_whose_right_passages_are_missing_is_refused(index: Index) -> None:
    for record in records():
        nothing = Record(record.query, "\0", "\0", [], [], record.noise)
        answer = answered(index, LabelledModel(nothing))
        assert answer.ending is Ending.NOT_FOUND
        assert not answer.citations
