"""The way from votes to a verified model file: every stage in its order, each after the one before.

A line is a folder with a folder a stage. Whatever has been done for the same inputs and settings
is not done again, so that a line that was killed goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from adapters.convert import convert
from adapters.dataset import dataset, gather
from adapters.display import Display
from adapters.errors import AdaptersSettingsError
from adapters.manifest import MANIFEST, Manifest, load, load_finished
from adapters.merge import merge
from adapters.prefer import prefer
from adapters.quantize import quantize
from adapters.settings import AdaptersSettings, AdaptersTable
from adapters.train import train
from adapters.verify import verify
from bot.bootstrap import open_models, open_synced_library
from bot.records.database import Database

_FILES = {"dpo": "preferences", "kto": "thumbs", "none": "thumbs"}


@dataclass(frozen=True, slots=True)
class Line:
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

    def folder(self, stage: str) -> Path:
        return self.settings.adapters_dir / self.name / stage

    def finished(self, stage: str) -> Manifest:
        return load_finished(self.folder(stage), stage)

    def dataset(self, *, again: bool = False) -> Manifest:
        """From the records and the index as they are now."""
        with (
            closing(Database(self.settings.records_url)) as database,
            open_synced_library(self.settings, serving=True) as (library, _),
            open_models(self.settings, database) as models,
            models.lease() as judge,
        ):
            return dataset(
                self.table.dataset,
                gather(database, library, judge),
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
            self.finished("merge"),
            self.folder("convert"),
            cache_dir=self.settings.cache_dir,
        )

    def quantize(self) -> Manifest:
        return quantize(self.table.quantize, self.finished("convert"), self.folder("quantize"))

    def verify(self) -> Manifest:
        return verify(
            self.table.verify,
            self.finished("merge"),
            self.finished("convert"),
            self.finished("quantize"),
            self.folder("verify"),
        )

    def stages(self) -> list[tuple[str, Callable[[], Manifest]]]:
        """All, in order."""
        return [
            ("dataset", self.dataset),
            ("train", self.train),
            ("prefer", self.prefer),
            ("merge", self.merge),
            ("convert", self.convert),
            ("quantize", self.quantize),
            ("verify", self.verify),
        ]

    def run(self) -> Manifest:
        """Every stage; the manifest of the last. Preferences are left out where they are few."""
        *stages, (last, finish) = self.stages()
        for stage, work in stages:
            if stage == "prefer" and not self._has_preferences():
                self.display.tell("— prefer: left out, there are too few preferences")
                continue
            self.display.tell(f"— {stage}")
            work()
        self.display.tell(f"— {last}")
        return finish()

    def _has_preferences(self) -> bool:
        table = self.table.prefer
        if table.method == "none" or self.table.train.method == "full":
            return False
        examples = self.finished("dataset").output(_FILES[table.method])
        with examples.open(encoding="utf-8") as file:
            return sum(1 for _ in file) >= table.least_examples
