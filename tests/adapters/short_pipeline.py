"""A line that is done in seconds: a team content with every answer, and a tiny base."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from adapters.export.converter import Converter
from adapters.settings import (
    AdaptersSettings,
    AdaptersTable,
    EvaluateTable,
    MergeTable,
    PreferTable,
    TrainTable,
)
from bot.domain.settings import ModelTable
from bot.records.database import Database
from indexer.settings import FilesSource, IndexTable
from tests.adapters.team import OPEN, PAGES, Team


def settings_in(folder: Path, base: Path, cache_dir: Path) -> AdaptersSettings:
    """With so few questions, the gate refuses what it makes."""
    small = TrainTable(
        method="qlora", batch_size=4, per_device_batch_size=4, epochs=1, learning_rate=3e-3, rank=4,
        min_examples=4, threads=1,
    )  # fmt: skip
    return AdaptersSettings(
        data_dir=folder / "data",
        cache_dir=cache_dir,
        sources=(FilesSource(name="handbook", path=folder / "handbook", audience=("public",)),),
        index=IndexTable(threads=1),
        model=ModelTable(threads=1, answer_tokens=16, context_tokens=1024),
        adapters=AdaptersTable(
            base=base,
            dataset=OPEN,
            train=small,
            prefer=PreferTable(method="none"),
            merge=MergeTable(precision="float32"),
            evaluate=EvaluateTable(min_questions=1),
        ),
    )


@pytest.fixture
def short_line(
    tmp_path: Path, tiny_base: Path, cache_dir: Path, converter: Converter
) -> AdaptersSettings:
    handbook = tmp_path / "handbook"
    handbook.mkdir()
    for topic, text in PAGES.items():
        (handbook / f"{topic}.md").write_text(f"# {topic.capitalize()}\n\n{text}\n")
    settings = settings_in(tmp_path, tiny_base, cache_dir)
    settings.data_dir.mkdir()
    with closing(Database(settings.records_url)) as database:
        team = Team(database)
        for topic in PAGES:
            team.thanked(topic)
    return settings
