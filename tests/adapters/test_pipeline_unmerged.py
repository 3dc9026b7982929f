"""A line whose adapter stays beside its base: verified, measured, promoted and served like that."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import ValidationError

from adapters.errors import AdaptersSettingsError, PromotionRefused
from adapters.evaluate.comparison import write_comparison
from adapters.pipeline import TrainingPipeline
from adapters.runs.display import Silent
from adapters.runs.manifest import Run, run_stage
from adapters.settings import AdaptersSettings, AdaptersTable, PromoteTable, TrainTable
from bot.bootstrap.wiring import open_models
from bot.models.registry import Registry
from bot.records.database import Database
from tests.adapters.candidates import measured
from tests.adapters.short_pipeline import short_line

__all__ = ["short_line"]

HELP, ELSEWHERE = "C0HELP", "C0OTHER"


@pytest.fixture
def settings(short_line: AdaptersSettings) -> AdaptersSettings:
    in_one_channel = PromoteTable(canary_share=0, canary_channels=(HELP,))
    table = short_line.adapters.model_copy(update={"served": "adapter", "promote": in_one_channel})
    return short_line.model_copy(update={"adapters": table})


@pytest.fixture
def registry(settings: AdaptersSettings) -> Iterator[Registry]:
    with closing(Database(settings.records_url)) as database:
        yield Registry(database, settings.models_dir)


def let_win(line: TrainingPipeline) -> None:
    """As if it had been better: a model that learned from eight answers is not."""
    real = line.finished("evaluate")

    def work(run: Run) -> None:
        run.outputs["comparison"] = run.folder / "comparison.json"
        write_comparison(run.outputs["comparison"], [measured()])

    run_stage("evaluate", real.folder, settings={}, inputs=real.inputs, work=work)


@pytest.mark.timeout(600)
def test_adapter_is_promoted_beside_its_base_and_answers_in_its_channel(
    settings: AdaptersSettings, registry: Registry
) -> None:
    line = TrainingPipeline(settings, "support", Silent())
    with pytest.raises(PromotionRefused, match="held-out questions"):
        line.run(by="ana")
    assert registry.versions() == []
    assert "merge" not in {each.name for each in line.folder("train").parent.iterdir()}
    alone = line.finished("lora")
    assert alone.metrics["error"] < 0.05 * alone.metrics["effect"]

    let_win(line)
    promoted = line.promote(by="ana")
    version = registry.version(promoted.metrics["version"])
    assert version.sha256 == alone.outputs["gguf"].sha256
    assert version.base is not None
    assert version.base.sha256 == line.finished("quantize").outputs["gguf"].sha256
    with closing(Database(settings.records_url)) as database:
        assert adapters_in(settings, database) == {HELP: version.stamp, ELSEWHERE: "no model"}
    registry.activate(version.base.name, "ana")
    registry.canary(version.name, "ana", channels=(HELP,))
    with closing(Database(settings.records_url)) as database:
        assert adapters_in(settings, database) == {HELP: version.stamp, ELSEWHERE: ""}

    other = TrainingPipeline(settings, "sales", Silent())
    assert other.folder("quantize") == line.folder("quantize")
    assert other.folder("lora") != line.folder("lora")
    assert other.quantize().run == line.finished("quantize").run


def adapters_in(settings: AdaptersSettings, database: Database) -> dict[str, str]:
    """Through which adapter each channel is answered."""
    found = {}
    with open_models(settings, database) as models:
        for channel in (HELP, ELSEWHERE):
            with models.lease(channel=channel, question_id="q") as model:
                found[channel] = model.identity.adapter if model else "no model"
    return found


def test_merged_line_has_no_adapter_of_its_own(tmp_path: Path) -> None:
    line = TrainingPipeline(AdaptersSettings(data_dir=tmp_path), "default", Silent())
    assert "lora" not in line.stages
    with pytest.raises(AdaptersSettingsError, match='set served = "adapter"'):
        line.lora()


def test_whole_model_cannot_be_served_as_an_adapter() -> None:
    with pytest.raises(ValidationError, match="choose qlora or lora"):
        AdaptersTable(served="adapter", train=TrainTable(method="full"))
