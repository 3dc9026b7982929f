"""What is looked up when the metrics are read: models, their engine, the index."""

from collections.abc import Iterable
from pathlib import Path

from prometheus_client import Metric

from bot.domain.errors import ModelUnreachable
from bot.domain.values import Message
from bot.serving.breaker import CircuitBreaker
from bot.serving.lending import FixedModels, InUse
from bot.serving.llama_cpp.engine import LlamaEngine
from bot.serving.llama_cpp.scheduler import EngineStatistics
from bot.telemetry.gauges import of_index, of_jobs, of_models
from indexer.documents import Audience
from indexer.index import open_index
from indexer.settings import FilesSource, IndexSettings
from tests.services.scripted_model import ScriptedModel


class Remote(ScriptedModel):
    """One behind a server."""

    def __init__(self) -> None:
        super().__init__("")
        self.breaker = CircuitBreaker(failures=1)


class Busy(ScriptedModel):
    """One in this process, in the middle of its work."""

    statistics = EngineStatistics(active=2, waiting=5, preemptions=1, used_cells=256, cells=1024)

    def __init__(self) -> None:
        super().__init__("")


class TwoModels(FixedModels):
    def __init__(self) -> None:
        super().__init__(None)
        self.remote = Remote()

    def in_use(self) -> tuple[InUse, ...]:
        return InUse("serving", self.remote), InUse("canary", ScriptedModel(""), 0.1)


def by_series(metrics: Iterable[Metric]) -> dict[tuple[str, ...], float]:
    """Values by the series' name and the labels' values."""
    return {
        (sample.name, *sample.labels.values()): float(sample.value)
        for metric in metrics
        for sample in metric.samples
    }


def test_jobs_that_were_given_up_are_told_beside_those_to_be_done() -> None:
    now = by_series(of_jobs(lambda: {"answer": 3}, lambda: {"answer": 1})())
    assert now["lorebot_jobs_pending", "answer"] == 3
    assert now["lorebot_jobs_given_up", "answer"] == 1


def test_an_engine_tells_what_it_is_doing() -> None:
    now = by_series(of_models(FixedModels(Busy()))())
    assert now["lorebot_engine_requests", "serving", "active"] == 2
    assert now["lorebot_engine_requests", "serving", "waiting"] == 5
    assert now["lorebot_engine_cache_used_ratio", "serving"] == 0.25
    assert now["lorebot_engine_preemptions_total", "serving"] == 1


def test_an_engine_tells_its_tokens_since_it_was_loaded(tiny_model: Path) -> None:
    models = FixedModels(LlamaEngine.load(tiny_model, context_tokens=1024, slots=1, threads=1))
    (one,) = models.in_use()
    asked = [Message("user", "Where is the office, and when does the kitchen close?")]
    "".join(one.model.stream(asked))
    end = by_series(of_models(models)())
    models.close()
    assert end["lorebot_engine_requests", "serving", "active"] == 0
    assert end["lorebot_engine_cache_used_ratio", "serving"] == 0
    assert end["lorebot_engine_tokens_total", "serving", "produced"] > 5
    assert end["lorebot_engine_tokens_total", "serving", "computed"] > 5
    (info,) = [series for series in end if series[0] == "lorebot_model_info"]
    assert info[2] == one.model.identity.name
    assert info[3] == one.model.identity.sha256[:12]


def test_a_canary_and_a_server_that_is_left_alone_are_told() -> None:
    models = TwoModels()
    before = by_series(of_models(models)())
    assert before["lorebot_model_breaker_open", "serving"] == 0
    assert before["lorebot_canary_share",] == 0.1
    try:
        with models.remote.breaker.call():
            raise ModelUnreachable("gone")
    except ModelUnreachable:
        pass
    assert by_series(of_models(models)())["lorebot_model_breaker_open", "serving"] == 1


def test_without_a_model_every_metric_is_announced_and_no_canary_has_a_share() -> None:
    metrics = list(of_models(FixedModels(None))())
    assert {metric.name for metric in metrics} >= {"lorebot_model_info", "lorebot_engine_requests"}
    assert by_series(metrics) == {("lorebot_canary_share",): 0.0}


def test_documents_are_counted_by_source_and_not_at_every_scrape(
    tmp_path: Path, cache_dir: Path
) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "leave.md").write_text("# Leave\n\nEverybody has 28 days of leave a year.")
    source = FilesSource(name="docs", path=pages, audience=("public",))
    settings = IndexSettings(data_dir=tmp_path, cache_dir=cache_dir, sources=(source,))
    now = [0.0]
    with open_index(settings) as index:
        index.sync()
        collect = of_index(index, seconds=60, clock=lambda: now[0])
        assert by_series(collect())["lorebot_index_documents", "docs"] == 1
        assert by_series(collect())["lorebot_index_chunks", "docs"] >= 1
        for document in index.store.documents():
            index.store.set_audience(document, Audience.of("slack_user:U1"))
            index.store.delete(document)
        assert by_series(collect())["lorebot_index_documents", "docs"] == 1
        now[0] = 61.0
        assert ("lorebot_index_documents", "docs") not in by_series(collect())
