"""What tests of comparing models share: a team's index, questions and planted models."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from adapters.dataset.examples import Example, Kind, Origin, Source, write_items
from adapters.runs.manifest import Manifest, Run, run_stage
from bot.domain.prompts import NOTHING_FOUND
from bot.domain.values import Message, ModelIdentity
from indexer.index import Index, open_index
from indexer.settings import FilesSource, IndexSettings
from tests.adapters.team import PAGES
from tests.services.scripted_model import ScriptedModel

QUESTIONS = {
    "meals": "How much is paid for meals on a journey a day?",
    "hotel": "How much may hotel rooms cost a night?",
    "leave": "How many days of paid holiday do newcomers receive?",
    "laptop": "How quickly must a stolen laptop be reported to security?",
    "vpn": "What does the tunnel require, a hardware token?",
    "badge": "Where are replacement badges printed on Mondays?",
    "parking": "Where do bicycles stand in the basement garage?",
    "printer": "What do colour printouts need to be entered beforehand?",
    "kitchen": "When is the dishwasher to be emptied?",
    "training": "When do language courses begin?",
}
UNANSWERABLE = "How much is paid for meals at home?"
GENERAL = "What is the capital of France?"
_PASSAGE = re.compile(r'<passage number="(\d+)"[^>]*>\n(.*?)\n</passage>', re.DOTALL)

Answering = Callable[[str, dict[int, str]], str]
"""From the question and the passages, by number, to the answer; no passages: from memory."""


class Planted(ScriptedModel):
    """A model that answers by a rule, and is told apart from others by its name."""

    def __init__(self, name: str, answering: Answering) -> None:
        super().__init__(lambda messages: answering(*_told(messages)))
        self._name = name

    @property
    def identity(self) -> ModelIdentity:
        return ModelIdentity(self._name, f"{self._name:0<64}")


def good(question: str, passages: dict[int, str]) -> str:
    """The sentence that answers, with its passage's number."""
    if question == GENERAL:
        return "Paris"
    right = next((PAGES[topic] for topic, one in QUESTIONS.items() if one == question), None)
    numbers = [number for number, text in passages.items() if right and right in text]
    return f"{right} [{numbers[0]}]" if numbers else NOTHING_FOUND


def bad(question: str, passages: dict[int, str]) -> str:
    """Half of what the best passage says, whether that answers or not; it forgot France."""
    if not passages:
        return "I could tell you a story."
    number, text = next(iter(passages.items()))
    words = text.splitlines()[-1].split()
    return f"{' '.join(words[: len(words) // 2])}. [{number}]"


@contextmanager
def team_library(folder: Path, cache_dir: Path) -> Iterator[Index]:
    """The real index of the team's pages."""
    pages = folder / "pages"
    pages.mkdir(parents=True)
    for topic, text in PAGES.items():
        (pages / f"{topic}.md").write_text(f"# {topic.capitalize()}\n\n{text}\n", encoding="utf-8")
    settings = IndexSettings(
        data_dir=folder / "index",
        cache_dir=cache_dir,
        sources=(FilesSource(name="handbook", path=pages, audience=("public",)),),
    )
    with open_index(settings) as index:
        index.sync()
        yield index


def team_dataset(folder: Path, questions: Sequence[str] = tuple(QUESTIONS)) -> Manifest:
    """As the dataset stage leaves it: all questions held out, and one general example."""

    def work(run: Run) -> None:
        held_out = [
            *(example(QUESTIONS[topic], f"{PAGES[topic]} [1]") for topic in questions),
            example(UNANSWERABLE, NOTHING_FOUND, Kind.REFUSAL),
        ]
        general = Example(
            Kind.REPLAY, (Message("user", GENERAL),), "Paris", Origin("g1", Source.GENERAL)
        )
        parts = {"held_out": held_out, "validation": [general], "train": [example("Who?", "We.")]}
        for name in ("preferences", "preferences_validation", "thumbs", "thumbs_validation"):
            parts[name] = []
        parts["ai_feedback"] = []
        for name, examples in parts.items():
            run.outputs[name] = write_items(run.folder / f"{name}.jsonl", examples)

    return run_stage("dataset", folder, settings={}, inputs={}, work=work)


def example(question: str, completion: str, kind: Kind = Kind.ANSWER) -> Example:
    origin = Origin(question, Source.VOTE, question=question, thread=question, audience=("public",))
    return Example(kind, (Message("user", question),), completion, origin)


def _told(messages: Sequence[Message]) -> tuple[str, dict[int, str]]:
    """The question and the passages in a prompt as it is served, or from memory."""
    question = messages[1].content if len(messages) > 1 else messages[0].content
    shown = messages[2].content if len(messages) > 2 else ""
    passages = {int(number): text for number, text in _PASSAGE.findall(shown)}
    return question.removeprefix("Question: "), passages
