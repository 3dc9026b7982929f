"""An installation with something in every drawer."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from bot.domain.settings import Settings
from bot.jobs.durable import Jobs
from bot.models.registry import Registry
from bot.records.answers import Answers
from bot.records.database import Database
from tests.records.test_records import ASKED, answer_to


def settings_in(folder: Path) -> Settings:
    return Settings(data_dir=folder, cache_dir=folder / "cache")


def fill(settings: Settings, model: Path) -> None:
    """A question with its answer, a model, what training left, and an empty jobs database."""
    with closing(Database(settings.records_url)) as database:
        answers = Answers(database)
        answers.ask(ASKED)
        answers.save(answer_to(ASKED))
        settings.models_dir.mkdir(parents=True, exist_ok=True)
        file = settings.models_dir / "parrot.gguf"
        file.write_bytes(model.read_bytes())
        Registry(database, settings.models_dir).add(file)
    run = settings.data_dir / "adapters" / "default" / "dataset"
    run.mkdir(parents=True, exist_ok=True)
    (run / "manifest.json").write_text('{"run": "dataset-1"}')
    (run / "train.jsonl").write_text('{"what": "people said"}')
    (settings.data_dir / "adapters" / "decisions.jsonl").write_text('{"exchange": "x"}\n')
    jobs = Jobs(settings.jobs_url)
    jobs.launch()
    jobs.close()


@pytest.fixture
def filled(tmp_path: Path, tiny_model: Path) -> Settings:
    settings = settings_in(tmp_path / "data")
    fill(settings, tiny_model)
    return settings
