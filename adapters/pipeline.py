"""The way from votes to a model that answers: every stage in its order, each after the one before.

A line is a folder with a folder a stage. Whatever has been done for the same inputs and settings
is not done again, so that a line that was killed goes on where it was.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from adapters.dataset.build import dataset, gather
from adapters.errors import AdaptersSettingsError, EvaluationError
from adapters.evaluate.evaluate import evaluate
from adapters.evaluate.evaluation_run import EvaluationRun
from adapters.evaluate.exercise import abstracts_exercise
from adapters.evaluate.exercise_corpus import ExerciseTable
from adapters.export.convert import convert
from adapters.export.lora_gguf import lora
from adapters.export.merge import merge
from adapters.export.quantize import quantize
from adapters.export.verify import verify
from adapters.models.engines import opened, opened_if_named
from adapters.promote.promote import Candidate, promote
from adapters.runs.display import Display
from adapters.runs.manifest import MANIFEST, Manifest, load, load_finished
from adapters.settings import AdaptersSettings, AdaptersTable
from adapters.train.preference import prefer
from adapters.train.sft import train
from bot.bootstrap.wiring import open_models, open_synced_index
from bot.models.registry import Registry
from bot.records.database import Database
from indexer.trials import Trials

STAGES = (
    "dataset", "train", "prefer", "merge", "convert", "quantize", "verify", "lora", "evaluate",
    "promote",
)  # fmt: skip
"""In order; each but the first works on what those before it left. A line takes ``merge`` or, where
the adapter is served beside its base, ``lora``."""

_OF_THE_BASE = ("convert", "quantize", "verify")
_SHARED = ".base"

_FILES = {"dpo": "preferences", "kto": "thumbs", "none": "thumbs"}


@dataclass(frozen=True, slots=True)
class TrainingPipeline:
    """The stages of one candidate, in the folder ``name`` of the adapters' folder.

    Each method is a stage: it takes the manifests of those before it from their folders, and
    raises ManifestError where one of them has not finished.
    """

    settings: AdaptersSettings
    name: str
    display: Display

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
        """Those of STAGES that this line takes."""
        return tuple(stage for stage in STAGES if stage != ("lora" if self.is_merged else "merge"))

    def folder(self, stage: str) -> Path:
        """Where the adapter is not merged, what is made of the base belongs to all lines."""
        is_shared = not self.is_merged and stage in _OF_THE_BASE
        return self.settings.adapters_dir / (_SHARED if is_shared else self.name) / stage

    def model(self) -> Path:
        """What is converted: base and adapter together, or the base as it is."""
        return self.finished("merge").output("model") if self.is_merged else self.base

    def finished(self, stage: str) -> Manifest:
        return load_finished(self.folder(stage), stage)

    def dataset(self, *, again: bool = False) -> Manifest:
        """From the records and the index as they are now."""
        with (
            closing(Database(self.settings.records_url)) as database,
            open_synced_index(self.settings, serving=True) as (index, _),
            open_models(self.settings, database) as models,
            models.lease() as judge,
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
            display=self.display,
        )

    def adapter(self) -> Manifest:
        """The last run that trained the adapter: prefer, where it went on from this train run."""
        trained = self.finished("train")
        path = self.folder("prefer")
        if self.table.prefer.method == "none" or not (path / MANIFEST).exists():
            return trained
        inputs = load(path).inputs
        went_on = [output.sha256 for output in trained.outputs.values()]
        return self.finished("prefer") if inputs.get("adapter") in went_on else trained

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
        trials = Trials(self.settings.cache_dir)
        with (
            open_synced_index(self.settings, serving=True) as (index, _),
            open_models(self.settings) as models,
            models.lease() as serving,
            opened(self.finished("quantize").output("gguf"), model, trials, adapter) as candidate,
            opened_if_named(table.base, model, trials) as base,
            opened_if_named(table.judge, model, trials) as judge,
        ):
            contest = EvaluationRun(
                index,
                candidate,
                serving,
                base,
                thresholds=self.settings.thresholds,
                answer_tokens=model.answer_tokens,
                answer_seconds=model.answer_seconds,
            )
            examples, folder = self.finished("dataset"), self.folder("evaluate")
            return evaluate(table, contest, examples, folder, display=self.display, judge=judge)

    def exercise(self, corpus: Path, table: ExerciseTable, model: Path | None) -> Manifest:
        """The classic exercise with the model of a file, else with what serves."""
        trials = Trials(self.settings.cache_dir)
        with (
            open_models(self.settings) as models,
            models.lease() as serving,
            opened_if_named(model, self.settings.model, trials) as given,
            opened_if_named(self.table.evaluate.judge, self.settings.model, trials) as judge,
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

    def promote(self, *, by: str, signed_by: str = "", again: bool = False) -> Manifest:
        """Past the gate into the registry. Raises PromotionRefused, with every reason."""
        if self.settings.model.path or self.settings.model.url:
            raise AdaptersSettingsError(
                "[model] path or url names the model that answers, so a promotion would change "
                "nothing: remove that setting first."
            )
        made, verified = self.finished("quantize"), self.finished("verify")
        evaluated, history = self.finished("evaluate"), self._history()
        if self.is_merged:
            candidate = Candidate(made, [verified], evaluated, history)
        else:  # the stage lora has verified what it made
            alone = self.finished("lora")
            candidate = Candidate(alone, [verified, alone], evaluated, history, base=made)
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

    def perform(self, stage: str, *, by: str) -> Manifest | None:
        """One of the stages; None for preferences where they are few. ``by`` is who promotes."""
        if stage == "promote":
            return self.promote(by=by)
        if stage == "prefer" and not self._has_preferences():
            self.display.tell("Left out: there are too few preferences.")
            return None
        manifest: Manifest = getattr(self, stage)()
        return manifest

    def run(self, *, by: str) -> Manifest:
        """Every stage; the manifest of the last."""
        for stage in self.stages:
            self.display.tell(f"— {stage}")
            self.perform(stage, by=by)
        return self.finished("promote")

    def _history(self) -> list[Manifest]:
        """The runs behind the candidate, in order."""
        went_on = self.adapter().stage == "prefer"
        stages = self.stages[: self.stages.index("promote")]
        return [self.finished(stage) for stage in stages if stage != "prefer" or went_on]

    def _has_preferences(self) -> bool:
        table = self.table.prefer
        if table.method == "none" or self.table.train.method == "full":
            return False
        examples = self.finished("dataset").output(_FILES[table.method])
        with examples.open(encoding="utf-8") as file:
            return sum(1 for _ in file) >= table.least_examples
