"""Forgetting a person, the whole chain: records, dataset, the next model, and an older backup."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from adapters.pipeline import TrainingPipeline
from adapters.runs.display import Silent
from adapters.runs.files import fingerprint
from adapters.runs.manifest import Manifest
from adapters.settings import AdaptersSettings
from bot.operations.backup import back_up
from bot.operations.restore import restore
from bot.records.database import Database
from bot.records.forgetting import Forgetting
from tests.adapters.conftest import converter, tiny_base
from tests.adapters.short_pipeline import short_line
from tests.adapters.team import Team

__all__ = ["converter", "short_line", "tiny_base"]

GONE, THEIR_WORDS = "U0GONE", "Does anybody mind my unicycle near the garage gate four?"


def they_say_something(settings: AdaptersSettings) -> None:
    """A question with a thumb up, and a vote on somebody else's answer."""
    with closing(Database(settings.records_url)) as database:
        Team(database, asked=50).thanked("parking", THEIR_WORDS, asker=GONE)


def learned(settings: AdaptersSettings) -> tuple[Manifest, Manifest]:
    """The dataset and the adapter that are made of the records as they are now."""
    line = TrainingPipeline(settings, "default", Silent())
    dataset, train = (line.perform(stage, by="ana") for stage in ("dataset", "train"))
    assert dataset is not None
    assert train is not None
    return dataset, train


def text_of(dataset: Manifest) -> str:
    return "".join(path.read_text() for path in sorted(dataset.folder.rglob("*.jsonl")))


def forget(settings: AdaptersSettings) -> int:
    with closing(Database(settings.records_url)) as database:
        return Forgetting(database).person(GONE)


def test_forgotten_person_is_in_no_dataset_and_in_no_model_that_comes_after(
    short_line: AdaptersSettings, tmp_path: Path
) -> None:
    """What is learned afterwards is, bit by bit, what is learned where they never were."""
    dataset, train = learned(short_line)
    never_there = text_of(dataset), fingerprint(train.output("adapter"))
    they_say_something(short_line)
    dataset, train = learned(short_line)
    assert "unicycle" in text_of(dataset)
    assert fingerprint(train.output("adapter")) != never_there[1]
    before, _ = back_up(short_line, tmp_path / "before.zip")

    assert forget(short_line) == 1
    dataset, train = learned(short_line)
    assert (text_of(dataset), fingerprint(train.output("adapter"))) == never_there

    restored = restore(short_line, before, force=True)
    assert restored.forgotten_again == 1
    assert text_of(learned(short_line)[0]) == never_there[0]


def test_newer_backup_tells_who_was_forgotten_where_the_records_are_lost(
    short_line: AdaptersSettings, tmp_path: Path
) -> None:
    they_say_something(short_line)
    before, _ = back_up(short_line, tmp_path / "before.zip")
    forget(short_line)
    after, _ = back_up(short_line, tmp_path / "after.zip")
    fresh = short_line.model_copy(update={"data_dir": tmp_path / "fresh"})
    assert restore(fresh, before).forgotten_again == 0
    assert restore(fresh, before, force=True, forgotten=after).forgotten_again == 1
