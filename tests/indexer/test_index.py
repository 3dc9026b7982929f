"""Settings become a working index, and an outdated one is replaced while it is read."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from indexer.chunking import chunking
from indexer.documents import Audience
from indexer.errors import (
    EmbedderError,
    IndexSettingsError,
    RerankerError,
    SourceError,
    StoreOutdated,
    SyncCancelled,
)
from indexer.index import open_index, open_sources
from indexer.settings import FilesSource, IndexSettings, IndexTable
from indexer.sync.sync import Progressed
from tests.services.tiny_reranker import write_tiny_reranker

PUBLIC = Audience.of("public")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "leave.md").write_text("# Leave\nTwenty-seven days a year.")
    (folder / "lunch.md").write_text("# Lunch\nSoup is served at noon.")
    return folder


@pytest.fixture
def settings(tmp_path: Path, cache_dir: Path, folder: Path) -> IndexSettings:
    return IndexSettings(
        data_dir=tmp_path / "data",
        cache_dir=cache_dir,
        sources=(FilesSource(name="docs", path=folder, audience=("public",)),),
    )


def titles(settings: IndexSettings, question: str) -> list[str]:
    with open_index(settings) as index:
        return [passage.title for passage in index.retriever(PUBLIC).passages(question)]


def test_a_synced_library_is_found_again(settings: IndexSettings) -> None:
    with open_index(settings) as index:
        (report,) = index.sync()
        assert (report.source, report.added, report.chunks) == ("docs", 2, 2)
    assert titles(settings, "When is soup served?")[0] == "Lunch"


def test_settings_say_how_passages_are_found(settings: IndexSettings) -> None:
    one = settings.model_copy(update={"index": IndexTable(passages=1)})
    with open_index(one) as index:
        index.sync()
    assert len(titles(one, "days")) == 1


def test_a_source_that_left_the_settings_leaves_the_index(
    settings: IndexSettings, folder: Path
) -> None:
    with open_index(settings) as index:
        index.sync()
    renamed = settings.model_copy(
        update={"sources": (FilesSource(name="new", path=folder, audience=("public",)),)}
    )
    with open_index(renamed) as index:
        reports = {report.source: report for report in index.sync()}
        assert (reports["new"].added, reports["docs"].deleted) == (2, 2)
        assert sorted(index.store.documents()) == ["new:leave.md", "new:lunch.md"]


def test_a_broken_source_does_not_hold_up_the_others(
    settings: IndexSettings, tmp_path: Path
) -> None:
    with open_index(settings) as index:
        index.sync()
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "new.md").write_text("New text.")
    sources = (
        FilesSource(name="docs", path=tmp_path / "unmounted", audience=("public",)),
        FilesSource(name="more", path=tmp_path / "more", audience=("public",)),
    )
    with open_index(settings.model_copy(update={"sources": sources})) as index:
        with pytest.raises(SourceError, match="unmounted does not exist"):
            index.sync()
        assert sorted(index.store.documents()) == [
            "docs:leave.md",
            "docs:lunch.md",
            "more:new.md",
        ]


def test_without_sources_there_is_nothing_to_sync(settings: IndexSettings) -> None:
    with (
        open_index(settings.model_copy(update={"sources": ()})) as index,
        pytest.raises(IndexSettingsError, match="nothing to index"),
    ):
        index.sync()


def test_a_reranker_of_the_settings_is_used(settings: IndexSettings, tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    write_tiny_reranker(path)
    reranking = settings.model_copy(update={"index": IndexTable(reranker=path)})
    with open_index(reranking) as index:
        index.sync()
        found = index.retriever(PUBLIC).explained("soup for lunch")
    assert [passage.score for passage, _ in found] == [why.reranked for _, why in found]
    assert len(found) == 2


def test_a_reranker_that_is_missing_is_a_sentence(settings: IndexSettings) -> None:
    table = IndexTable(reranker=Path("missing.gguf"))
    with pytest.raises(RerankerError, match=r"missing\.gguf"):
        open_index(settings.model_copy(update={"index": table}))


def test_an_embedder_that_is_missing_is_a_sentence(settings: IndexSettings) -> None:
    table = IndexTable(embedder="missing.gguf")
    with pytest.raises(EmbedderError, match=r"missing\.gguf"):
        open_index(settings.model_copy(update={"index": table}))


class TestOutdated:
    """Another chunker stands for every change of identity."""

    @pytest.fixture
    def outdated(self, settings: IndexSettings, monkeypatch: pytest.MonkeyPatch) -> IndexSettings:
        with open_index(settings) as index:
            index.sync()
        monkeypatch.setattr(chunking, "CHUNKER_VERSION", "next")
        return settings

    def test_it_is_not_searched(self, outdated: IndexSettings) -> None:
        with open_index(outdated) as index:
            assert index.outdated
            with pytest.raises(StoreOutdated, match="run `lorebot-index sync`"):
                index.retriever(PUBLIC)

    def test_a_sync_rebuilds_and_swaps(self, outdated: IndexSettings) -> None:
        with open_index(outdated) as index:
            (report,) = index.sync()
            assert (report.added, report.unchanged) == (2, 0)
            assert not index.outdated
            assert index.retriever(PUBLIC).passages("soup")[0].title == "Lunch"
        assert [path.name for path in sorted(outdated.data_dir.glob("*.rebuild*"))] == []
        assert titles(outdated, "soup")[0] == "Lunch"

    def test_a_failing_source_leaves_the_old_index_in_its_place(
        self, outdated: IndexSettings, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder.rename(folder.with_name("away"))
        with open_index(outdated) as index, pytest.raises(SourceError):
            index.sync()
        monkeypatch.undo()
        assert titles(outdated, "soup")[0] == "Lunch"

    def test_an_interrupted_rebuild_continues(self, outdated: IndexSettings, folder: Path) -> None:
        with open_index(outdated) as index:
            source = index.plan([_files(outdated)])[0]
            index.apply(source)
        (folder / "late.md").write_text("# Late\nAdded meanwhile.")
        with open_index(outdated) as index:
            (report,) = index.sync()
            assert (report.added, report.unchanged) == (1, 2)

    def test_a_rebuild_of_yet_another_identity_starts_anew(
        self, outdated: IndexSettings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with open_index(outdated) as index:
            index.apply(index.plan([_files(outdated)])[0])
        monkeypatch.setattr(chunking, "CHUNKER_VERSION", "after next")
        with open_index(outdated) as index:
            (report,) = index.sync()
            assert report.added == 2
        assert titles(outdated, "soup")[0] == "Lunch"


def _files(settings: IndexSettings):  # type: ignore[no-untyped-def]
    from indexer.index import open_sources

    (source,) = open_sources(settings)
    return source


def many_pages(folder: Path, count: int) -> None:
    for number in range(count):
        (folder / f"{number:02}.md").write_text(f"# Page {number}\nText number {number}.")


def test_a_source_that_lost_most_of_its_documents_keeps_them_until_told(
    settings: IndexSettings, folder: Path
) -> None:
    many_pages(folder, 20)
    with open_index(settings) as index:
        index.sync()
        for number in range(15):
            (folder / f"{number:02}.md").unlink()
        (folder / "new.md").write_text("New text.")
        with pytest.raises(SourceError, match=r"would lose 15 documents.*--allow-shrink"):
            index.sync()
        assert len(index.store.documents()) == 23  # the new page is there, none is gone
        (report,) = index.sync(allow_shrink=True)
        assert report.deleted == 15
        assert len(index.store.documents()) == 8


def test_a_few_documents_may_always_go(settings: IndexSettings, folder: Path) -> None:
    with open_index(settings) as index:
        index.sync()
        (folder / "lunch.md").unlink()
        (report,) = index.sync()
        assert report.deleted == 1


def test_a_cancelled_sync_keeps_what_is_done_and_the_next_goes_on(
    settings: IndexSettings, folder: Path
) -> None:
    many_pages(folder, 6)

    def stop_after_three(event: Progressed) -> None:
        if event.done == 3:
            raise SyncCancelled("Stopped as you asked.")

    with open_index(settings) as index:
        with pytest.raises(SyncCancelled):
            index.sync(stop_after_three)
        assert len(index.store.documents()) == 3
        (report,) = index.sync()
        assert report.added == 5


def test_progress_is_told_document_by_document(settings: IndexSettings) -> None:
    events: list[Progressed] = []
    with open_index(settings) as index:
        index.sync(events.append)
    assert events == [Progressed("docs", done, 2) for done in (0, 1, 2)]


def test_the_journal_knows_what_could_not_be_read_and_when(
    settings: IndexSettings, folder: Path
) -> None:
    (folder / "broken.md").write_bytes(b"# Page\n\x80\x81\x00")
    with open_index(settings) as index:
        index.sync()
        entry = index.journal.read()["docs"]
    assert list(entry.unreadable) == ["docs:broken.md"]
    assert "UTF-8" in entry.unreadable["docs:broken.md"]
    assert (datetime.now(UTC) - entry.finished).total_seconds() < 60


def test_a_damaged_journal_is_begun_anew(settings: IndexSettings) -> None:
    with open_index(settings) as index:
        index.sync()
        settings.index_path.with_name("syncs.json").write_text("{nonsense")
        assert index.journal.read() == {}
        index.sync()
        assert list(index.journal.read()) == ["docs"]


def test_a_rebuild_serves_the_old_index_until_the_new_one_is_whole(
    settings: IndexSettings,
) -> None:
    with open_index(settings) as index:
        index.sync()
        index.begin_rebuild()
        plans = index.plan(open_sources(settings))
        assert [len(plan.added) for plan in plans] == [2]  # all of it, though nothing has changed
        assert index.retriever(PUBLIC).passages("soup")[0].title == "Lunch"
        index.finish([index.apply(plan) for plan in plans])
        assert index.retriever(PUBLIC).passages("soup")[0].title == "Lunch"
        assert index.sync()[0].unchanged == 2
