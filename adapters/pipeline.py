"""The training pipeline, top to bottom: from votes to a verified model that answers.

A pipeline is a folder with a folder per stage. Whatever has been done for the same inputs and
settings is not done again, so that a run that was killed goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from adapters.dataset.build import dataset, gather
from adapters.errors import AdaptersSettingsError, EvaluationError
from adapters.evaluate.evaluate import evaluate
from adapters.evaluate.evaluation_run import EvaluationRun
from adapters.evaluate.exercise import ExerciseTable, abstracts_exercise
from adapters.export.convert import convert
from adapters.export.lora_gguf import lora
from adapters.export.merge import merge
from adapters.export.quantize import quantize
from adapters.export.verify import verify
from adapters.promote.promote import Candidate, promote
from adapters.runs.display import Display
from adapters.runs.manifest import MANIFEST, Manifest, load, load_finished
from adapters.settings import AdaptersSettings, AdaptersTable
from adapters.train.preference import prefer
from adapters.train.sft import train
from bot.bootstrap.wiring import open_models, open_synced_index
from bot.models.registry import Registry
from bot.records.database import Database
from bot.serving.model import LanguageModel
from bot.serving.opening import open_model
from indexer.trials import Trials

Work = Callable[[], Manifest | None]
"""A stage, ready to be done; None where it was left out."""
Step = Callable[[str, Work], object]
"""Does a stage, given its name: says so on a terminal, notes it in a durable job, times it."""

_OF_THE_BASE = ("convert", "quantize", "verify")
_SHARED = ".base"

_FILES = {"dpo": "preferences", "kto": "thumbs", "none": "thumbs"}


@dataclass(frozen=True, slots=True)
class TrainingPipeline:
    """The stages of one candidate, in the folder ``name`` of the adapters' folder.

    ``run`` does them all in order. Each is a method, too: it takes the manifests of those before
    it from their folders, and raises ManifestError where one of them has not finished.
    """

    settings: AdaptersSettings
    name: str
    display: Display

    def run(self, *, by: str, step: Step | None = None) -> Manifest:
        """Every stage; the manifest of the promotion. ``by`` is who promotes.

        Raises PromotionRefused where the candidate is no win.
        """
        do = step or self._announced
        do("dataset", self.dataset)  # votes, corrections, replies → examples
        do("train", self.train)  # examples, base → LoRA adapter
        do("prefer", self.prefer_where_enough)  # thumbs or corrections → adapter
        if self.is_merged:
            do("merge", self.merge)  # adapter, base → one model in full precision
        do("convert", self.convert)  # model, or base → 16-bit GGUF
        do("quantize", self.quantize)  # 16-bit GGUF → small GGUF
        do("verify", self.verify)  # do the files predict what their source predicts?
        if not self.is_merged:
            do("lora", self.lora)  # adapter → LoRA GGUF beside its base
        do("evaluate", self.evaluate)  # candidate and serving model, on held-out questions
        do("promote", partial(self.promote, by=by))  # past the gate → registry, canary, serving
        return self.finished("promote")

    def dataset(self, *, again: bool = False) -> Manifest:
        """From the records and the index as they are now."""
        with (
            closing(Database(self.settings.records_url)) as database,
            open_synced_index(self.settings, serving=True) as (index, _),
            self._judge(database) as judge,
        ):
            return dataset(
                self.table.dataset,
                gather(database, index, judge),
                self.settings.decisions_path,
                self.folder("dataset"),
                again=again,
            )

    def train(self) -> Manifest:
        examples = self.finished("dataset")
        return train(
            self.table.train,
            self.base,
            self.folder("train"),
            examples=examples.output("train"),
            validation=examples.output("validation"),
            display=self.display,
        )

    def prefer(self) -> Manifest:
        examples = self.finished("dataset")
        kind = _FILES[self.table.prefer.method]
        return prefer(
            self.table.prefer,
            self.finished("train"),
            self.base,
            self.folder("prefer"),
            preferences=examples.output(kind),
            validation=examples.output(f"{kind}_validation"),
            ai_feedback=examples.output("ai_feedback") if self._learns_ai_feedback else None,
            display=self.display,
        )

    def prefer_where_enough(self) -> Manifest | None:
        """None where the method is none, the whole base was trained, or examples are few."""
        if self._has_preferences():
            return self.prefer()
        self.display.tell("Left out: there are too few preferences.")
        return None

    def merge(self) -> Manifest:
        return merge(
            self.table.merge, self.adapter(), self.base, self.folder("merge"), display=self.display
        )

    def convert(self) -> Manifest:
        return convert(
            self.table.convert,
            self.model(),
            self.folder("convert"),
            cache_dir=self.settings.cache_dir,
        )

    def quantize(self) -> Manifest:
        return quantize(self.table.quantize, self.finished("convert"), self.folder("quantize"))

    def verify(self) -> Manifest:
        return verify(
            self.table.verify,
            self.model(),
            self.finished("convert"),
            self.finished("quantize"),
            self.folder("verify"),
        )

    def lora(self) -> Manifest:
        """The adapter as a file of its own, held against the 16-bit base."""
        if self.is_merged:
            raise AdaptersSettingsError(
                'The adapter is merged into its base: set served = "adapter" in the table '
                "[adapters] to keep it beside the base."
            )
        return lora(
            self.table.convert,
            self.adapter(),
            self.base,
            self.finished("convert").output("gguf"),
            self.folder("lora"),
            cache_dir=self.settings.cache_dir,
        )

    def evaluate(self) -> Manifest:
        """The verified, quantized file against what serves, over the index as it is now."""
        self.finished("verify")
        adapter = None if self.is_merged else self.finished("lora").output("gguf")
        table, model = self.table.evaluate, self.settings.model
        gguf, trials = self.finished("quantize").output("gguf"), Trials(self.settings.cache_dir)
        with (
            open_synced_index(self.settings, serving=True) as (index, _),
            open_models(self.settings) as models,
            models.lease() as serving,
            open_model(model, gguf, trials, adapter, name="candidate") as candidate,
            self._opened(table.base) as base,
            self._opened(table.judge) as judge,
        ):
            compared = EvaluationRun(
                index,
                candidate,
                serving,
                base,
                thresholds=self.settings.thresholds,
                answer_tokens=model.answer_tokens,
                answer_seconds=model.answer_seconds,
            )
            examples, folder = self.finished("dataset"), self.folder("evaluate")
            return evaluate(table, compared, examples, folder, display=self.display, judge=judge)

    def promote(self, *, by: str, signed_by: str = "", again: bool = False) -> Manifest:
        """Past the gate into the registry. Raises PromotionRefused, with every reason."""
        if pinned := self.settings.model.pinned_by:
            raise AdaptersSettingsError(
                f"{pinned} names the model that answers, so a promotion would change nothing: "
                "remove that setting first."
            )
        made, verified = self.finished("quantize"), self.finished("verify")
        evaluated, history = self.finished("evaluate"), self._history()
        if self.is_merged:
            candidate = Candidate(made, [verified], evaluated, history)
        else:  # the stage lora has verified what it made
            adapter = self.finished("lora")
            candidate = Candidate(adapter, [verified, adapter], evaluated, history, base=made)
        with closing(Database(self.settings.records_url)) as database:
            return promote(
                self.table.promote,
                Registry(database, self.settings.models_dir),
                candidate,
                self.folder("promote"),
                name=candidate.name(self.name),
                by=by,
                signed_by=signed_by,
                again=again,
            )

    def exercise(self, corpus: Path, table: ExerciseTable, model: Path | None) -> Manifest:
        """The classic exercise with the model of a file, else with what serves."""
        with (
            open_models(self.settings) as models,
            models.lease() as serving,
            self._opened(model) as given,
            self._opened(self.table.evaluate.judge) as judge,
        ):
            answering = given or serving
            if answering is None:
                raise EvaluationError(
                    "The exercise needs a language model: name a GGUF file with --model, or let "
                    "one serve (`lorebot model use`)."
                )
            folder = self.folder("exercise")
            return abstracts_exercise(
                corpus, table, answering, self.settings, folder, display=self.display, judge=judge
            )

    def perform(self, stage: str, *, by: str) -> Manifest | None:
        """One of ``stages``, by its name; None where it was left out. ``by`` is who promotes."""
        return self._functions(by)[stage]()

    @property
    def table(self) -> AdaptersTable:
        return self.settings.adapters

    @property
    def base(self) -> Path:
        """Raises AdaptersSettingsError where the settings name no base model."""
        if self.table.base is None:
            raise AdaptersSettingsError(
                "There is no base model to train: name the folder of a full-precision, "
                "instruction-tuned model as base in the table [adapters], or with --base."
            )
        return self.table.base

    @property
    def is_merged(self) -> bool:
        return self.table.served == "merged"

    @property
    def stages(self) -> tuple[str, ...]:
        """The names of those that this pipeline takes, in order."""
        left_out = "lora" if self.is_merged else "merge"
        return tuple(stage for stage in self._functions(by="") if stage != left_out)

    def folder(self, stage: str) -> Path:
        """Where the adapter is not merged, what is made of the base belongs to all pipelines."""
        is_shared = not self.is_merged and stage in _OF_THE_BASE
        return self.settings.adapters_dir / (_SHARED if is_shared else self.name) / stage

    def model(self) -> Path:
        """What is converted: base and adapter together, or the base as it is."""
        return self.finished("merge").output("model") if self.is_merged else self.base

    def finished(self, stage: str) -> Manifest:
        return load_finished(self.folder(stage), stage)

    def adapter(self) -> Manifest:
        """The last run that trained the adapter: prefer, where it went on from this train run."""
        trained = self.finished("train")
        path = self.folder("prefer")
        if self.table.prefer.method == "none" or not (path / MANIFEST).exists():
            return trained
        inputs = load(path).inputs
        went_on = [output.sha256 for output in trained.outputs.values()]
        return self.finished("prefer") if inputs.get("adapter") in went_on else trained

    def _functions(self, by: str) -> dict[str, Work]:
        """Stage → function, for a stage that is wanted by its name; in the order of ``run``."""
        return {
            "dataset": self.dataset,
            "train": self.train,
            "prefer": self.prefer_where_enough,
            "merge": self.merge,
            "convert": self.convert,
            "quantize": self.quantize,
            "verify": self.verify,
            "lora": self.lora,
            "evaluate": self.evaluate,
            "promote": partial(self.promote, by=by),
        }

    def _announced(self, stage: str, work: Work) -> None:
        self.display.tell(f"— {stage}")
        work()

    def _history(self) -> list[Manifest]:
        """The runs behind the candidate, in order."""
        went_on = self.adapter().stage == "prefer"
        stages = self.stages[: self.stages.index("promote")]
        return [self.finished(stage) for stage in stages if stage != "prefer" or went_on]

    def _has_preferences(self) -> bool:
        table = self.table.prefer
        if table.method == "none" or self.table.train.method == "full":
            return False
        examples = self.finished("dataset")
        names = [_FILES[table.method], *(["ai_feedback"] if self._learns_ai_feedback else [])]
        count = sum(examples.output(name).read_bytes().count(b"\n") for name in names)
        return count >= table.min_examples

    @property
    def _learns_ai_feedback(self) -> bool:
        return self.table.dataset.ai_feedback == "preferences"

    def _opened(self, path: Path | None) -> AbstractContextManager[LanguageModel | None]:
        """A model that measures or is measured, as it would serve; None without a file."""
        trials = Trials(self.settings.cache_dir)
        return open_model(self.settings.model, path, trials) if path else nullcontext()

    @contextmanager
    def _judge(self, database: Database) -> Iterator[LanguageModel | None]:
        """The model that serves, opened only where it shall judge."""
        if not self._learns_ai_feedback:
            yield None
            return
        with open_models(self.settings, database) as models, models.lease() as judge:
            yield judge
