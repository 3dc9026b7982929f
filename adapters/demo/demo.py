"""``lorebot-adapters demo``: the whole way from votes to a better model, with a tiny one.

Everything is real but the size: a base of a few million parameters that is built and pretrained on
the spot, records of questions, answers, votes and corrections, every stage of the pipeline, the
registry, and a bot that goes on running through promotion and rollback. What the base does before
it is taught, and what it is taught, is in rooms.py and pretraining.py.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from adapters.dataset.examples import Example, Kind, read_items, write_items
from adapters.demo.base import write_base
from adapters.demo.pretraining import pretrain
from adapters.demo.rooms import Room, rooms, write_pages
from adapters.demo.settings import CHANNEL, demo_settings
from adapters.errors import AdaptersError, PromotionRefused
from adapters.evaluate.metrics import exact_match
from adapters.export.convert import convert_model
from adapters.export.converter import find_converter
from adapters.export.quantize import quantize_file
from adapters.pipeline import TrainingPipeline
from adapters.runs.display import Display
from adapters.runs.manifest import Manifest, Run, run_stage
from adapters.settings import AdaptersSettings, ConvertTable, Quantization, QuantizeTable
from bot.answering.cite import without_marks
from bot.answering.pipeline import Pipeline
from bot.bootstrap.demo import SAMPLE
from bot.bootstrap.wiring import open_models, open_synced_index
from bot.domain.values import Answer, Asked, Correction, Question, Thumb, Vote
from bot.models.registry import Registry
from bot.records.answers import Answers
from bot.records.database import Database
from bot.records.feedback import Corrections, Votes
from indexer.documents import PUBLIC, Audience

PRETRAINING_STEPS, ROOMS = 160, 100
_WHO, _ASKER = "demo", "U0ALICE"
_TAKEN_OVER_SECONDS = 60


@dataclass(slots=True)
class Outcome:
    """What was shown. Exact matches are shares of held-out questions in 0..1."""

    em_before: float = 0.0
    em_after: float = 0.0
    held_out: int = 0
    worse_refused: bool = False
    promoted: bool = False
    rolled_back: bool = False
    answers: list[str] = field(default_factory=list)
    refusal: str = ""
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """For people."""
        return (
            f"Of {self.held_out} held-out questions {self.em_before:.0%} were answered word for "
            f"word before, {self.em_after:.0%} after it was taught. "
            f"Promoted: {_yes(self.promoted)}. Worse candidate refused: "
            f"{_yes(self.worse_refused)}. Rolled back: {_yes(self.rolled_back)}. "
            f"{self.seconds['all']:.0f} seconds in all."
        )

    @property
    def is_good(self) -> bool:
        shown = (self.worse_refused, self.promoted, self.rolled_back)
        return all(shown) and self.em_after > self.em_before

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Demo:
    settings: AdaptersSettings
    display: Display
    outcome: Outcome
    database: Database
    registry: Registry

    @contextmanager
    def measured(self, stage: str) -> Iterator[None]:
        self.display.tell(f"— {stage}")
        began = time.monotonic()
        yield
        self.outcome.seconds[stage] = round(time.monotonic() - began, 1)

    def training(self, name: str) -> TrainingPipeline:
        return TrainingPipeline(self.settings, name, self.display)


def run_demo(
    settings: AdaptersSettings, display: Display, keep: Path | None = None, *, count: int = ROOMS
) -> Outcome:
    """Everything, in a folder of its own, which is kept where ``keep`` names it.

    Of the user's ``settings`` the cache and the embedder are used. Raises AdaptersError and its
    kin where a stage fails; what it found is in the outcome where it merely disappoints.
    """
    if keep is not None and keep.exists():
        raise AdaptersError(f"{keep} exists already: name a new folder with --keep.")
    folder = nullcontext(str(keep)) if keep else tempfile.TemporaryDirectory()
    with ExitStack() as stack:
        root = Path(stack.enter_context(folder)).resolve()
        known = rooms(count)
        write_pages(root, known)
        made = demo_settings(settings, root)
        database = stack.enter_context(closing(Database(made.records_url)))
        demo = _Demo(made, display, Outcome(), database, Registry(database, made.models_dir))
        began = time.monotonic()
        with demo.measured("base"):
            _make_base(demo, root / "base")
        with demo.measured("index"):
            index, _ = stack.enter_context(open_synced_index(made))
            models = stack.enter_context(open_models(made, database))
        pipeline = Pipeline(
            index,
            models,
            thresholds=made.thresholds,
            answer_tokens=made.model.answer_tokens,
            answer_seconds=made.model.answer_seconds,
        )
        with demo.measured("votes"):
            _ask_and_correct(demo, pipeline, known)
        _learn(demo, pipeline, known[-1])
        demo.outcome.seconds["all"] = round(time.monotonic() - began, 1)
        return demo.outcome


def _make_base(demo: _Demo, base: Path) -> None:
    """Built, pretrained, converted, and let answer."""
    display = demo.display
    write_base(base, SAMPLE)
    pretrain(base, SAMPLE, steps=PRETRAINING_STEPS, seed=0, display=display)
    converter = find_converter(demo.settings.cache_dir)
    exact, small = base.with_name("base-f16.gguf"), base.with_name("base.gguf")
    convert_model(ConvertTable(), base, exact, converter)
    quantize_file(QuantizeTable(quantization=Quantization.Q8_0), exact, small)
    demo.registry.add(small, name="base", note="as it was before it was taught")
    demo.registry.activate("base", _WHO)


def _ask_and_correct(demo: _Demo, pipeline: Pipeline, known: Sequence[Room]) -> None:
    """Ask about every room; vote 👍, or 👎 with the answer that it should have been."""
    answers, votes = Answers(demo.database), Votes(demo.database)
    right = 0
    with demo.display.bar("Asking", len(known)) as bar:
        for number, room in enumerate(known):
            question = _question(room.question, number)
            thread = question.thread
            answers.ask(Asked(question.id, question.id, CHANNEL, thread, _ASKER, room.question))
            answer = pipeline.answer(question)
            answer_id = answers.save(answer)
            if _is_right(answer, room.answer):
                votes.cast(Vote(answer_id, _ASKER, Thumb.UP))
                right += 1
            else:
                votes.cast(Vote(answer_id, _ASKER, Thumb.DOWN))
                Corrections(demo.database).give(
                    Correction(answer_id, _ASKER, room.answer, may_learn=True)
                )
            bar.move(number + 1)
    demo.display.tell(
        f"{len(known)} questions were asked; {right} answers got a thumb up, the others a "
        "thumb down and a correction."
    )


def _learn(demo: _Demo, pipeline: Pipeline, room: Room) -> None:
    """The pipeline, its promotion, a candidate that is refused, and the way back."""
    outcome, text = demo.outcome, room.question
    before = _told(demo, pipeline, text)
    training = demo.training("demo")
    for stage in training.stages[:-1]:
        with demo.measured(stage):
            training.perform(stage, by=_WHO)
    measured = training.finished("evaluate").metrics
    outcome.em_before, outcome.em_after = measured["em.serving"], measured["em.candidate"]
    outcome.held_out = measured["em.count"]
    with demo.measured("promote"):
        training.perform("promote", by=_WHO)
        after = _told(demo, pipeline, text, unlike=before)
        outcome.promoted = after != before
    with demo.measured("worse candidate"):
        outcome.refusal = _refused(demo, training)
        outcome.worse_refused = bool(outcome.refusal)
    with demo.measured("rollback"):
        demo.registry.rollback(_WHO)
        outcome.rolled_back = _told(demo, pipeline, text, unlike=after) == before


def _refused(demo: _Demo, good: TrainingPipeline) -> str:
    """What the gate says of a candidate that learned wrong answers; "" where it let it pass."""
    worse = demo.training("worse")
    write_worse(good.finished("dataset"), worse.folder("dataset"))
    for stage in worse.stages[1:-1]:
        worse.perform(stage, by=_WHO)
    try:
        worse.perform("promote", by=_WHO)
    except PromotionRefused as refusal:
        demo.display.tell(str(refusal))
        return str(refusal)
    return ""


def write_worse(dataset: Manifest, folder: Path) -> Manifest:
    """The same dataset in ``folder``; in ``train`` and ``validation`` each question has the answer
    of the next one.
    """

    def work(run: Run) -> None:
        for name in dataset.outputs:
            source = dataset.output(name)
            target = run.folder / f"{name}{source.suffix}"
            if name in ("train", "validation"):
                write_items(target, _exchanged(list(read_items(source, Example))))
            else:
                shutil.copyfile(source, target)
            run.outputs[name] = target

    inputs: dict[str, Path | str] = {name: dataset.output(name) for name in dataset.outputs}
    return run_stage("dataset", folder, settings={"worse": True}, inputs=inputs, work=work)


def _exchanged(examples: Sequence[Example]) -> list[Example]:
    said = [each.completion for each in examples if each.kind is Kind.ANSWER]
    others = iter([*said[1:], *said[:1]])
    return [
        replace(each, completion=next(others)) if each.kind is Kind.ANSWER else each
        for each in examples
    ]


def _told(demo: _Demo, pipeline: Pipeline, text: str, *, unlike: str = "") -> str:
    """The running bot's answer; waits until it is another one than ``unlike``, but not for ever."""
    patience = time.monotonic() + _TAKEN_OVER_SECONDS
    said = pipeline.answer(_question(text, -1))
    while unlike and said.text == unlike and time.monotonic() < patience:
        time.sleep(0.5)
        said = pipeline.answer(_question(text, -1))
    demo.display.tell(f"{text} → {said.text} ({said.versions.model or 'quoted'})")
    demo.outcome.answers.append(said.text)
    return said.text


def _question(text: str, number: int) -> Question:
    readers = Audience.of(PUBLIC, f"slack_channel:{CHANNEL}")
    ts = f"{1_800_000_000 + number}.000100"
    return Question(f"{CHANNEL}:{ts}", text, readers, _ASKER, CHANNEL, ts)


def _is_right(answer: Answer, wanted: str) -> bool:
    return exact_match(without_marks(answer.text), wanted) == 1


def _yes(holds: bool) -> str:
    return "yes" if holds else "no"
