"""Settings become a working index, and an outdated one is replaced while it is read."""

from pathlib import Path

import pytest

from indexer import chunking
from indexer.documents import Audience
from indexer.errors import EmbedderError, IndexSettingsError, SourceError, StoreOutdated
from indexer.library import open_library
from indexer.settings import FilesSource, IndexSettings, IndexTable

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
    with open_library(settings) as library:
        return [passage.title for passage in library.retriever(PUBLIC).passages(question)]


def test_a_synced_library_is_found_again(settings: IndexSettings) -> None:
    with open_library(settings) as library:
        (report,) = library.sync()
        assert (report.source, report.added, report.chunks) == ("docs", 2, 2)
    assert titles(settings, "When is soup served?")[0] == "Lunch"


def test_settings_say_how_passages_are_found(settings: IndexSettings) -> None:
    one = settings.model_copy(update={"index": IndexTable(passages=1)})
    with open_library(one) as library:
        library.sync()
    assert len(titles(one, "days")) == 1


def test_a_source_that_left_the_settings_leaves_the_index(
    settings: IndexSettings, folder: Path
) -> None:
    with open_library(settings) as library:
        library.sync()
    renamed = settings.model_copy(
        update={"sources": (FilesSource(name="new", path=folder, audience=("public",)),)}
    )
    with open_library(renamed) as library:
        reports = {report.source: report for report in library.sync()}
        assert (reports["new"].added, reports["docs"].deleted) == (2, 2)
        assert sorted(library.store.documents()) == ["new:leave.md", "new:lunch.md"]


def test_a_broken_source_does_not_hold_up_the_others(
    settings: IndexSettings, tmp_path: Path
) -> None:
    with open_library(settings) as library:
        library.sync()
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "new.md").write_text("New text.")
    sources = (
        FilesSource(name="docs", path=tmp_path / "unmounted", audience=("public",)),
        FilesSource(name="more", path=tmp_path / "more", audience=("public",)),
    )
    with open_library(settings.model_copy(update={"sources": sources})) as library:
        with pytest.raises(SourceError, match="unmounted does not exist"):
            library.sync()
        assert sorted(library.store.documents()) == [
            "docs:leave.md",
            "docs:lunch.md",
            "more:new.md",
        ]


def test_without_sources_there_is_nothing_to_sync(settings: IndexSettings) -> None:
    with (
        open_library(settings.model_copy(update={"sources": ()})) as library,
        pytest.raises(IndexSettingsError, match="nothing to index"),
    ):
        library.sync()


def test_an_embedder_that_is_missing_is_a_sentence(settings: IndexSettings) -> None:
    table = IndexTable(embedder="missing.gguf")
    with pytest.raises(EmbedderError, match=r"missing\.gguf"):
        open_library(settings.model_copy(update={"index": table}))


class TestOutdated:
    """Another chunker stands for every change of identity."""

    @pytest.fixture
    def outdated(self, settings: IndexSettings, monkeypatch: pytest.MonkeyPatch) -> IndexSettings:
        with open_library(settings) as library:
            library.sync()
        monkeypatch.setattr(chunking, "CHUNKER_VERSION", "next")
        return settings

    def test_it_is_not_searched(self, outdated: IndexSettings) -> None:
        with open_library(outdated) as library:
            assert library.outdated
            with pytest.raises(StoreOutdated, match="run `lorebot-index sync`"):
                library.retriever(PUBLIC)

    def test_a_sync_rebuilds_and_swaps(self, outdated: IndexSettings) -> None:
        with open_library(outdated) as library:
            (report,) = library.sync()
            assert (report.added, report.unchanged) == (2, 0)
            assert not library.outdated
            assert library.retriever(PUBLIC).passages("soup")[0].title == "Lunch"
        assert [path.name for path in sorted(outdated.data_dir.glob("*.rebuild*"))] == []
        assert titles(outdated, "soup")[0] == "Lunch"

    def test_a_failing_source_leaves_the_old_index_in_its_place(
        self, outdated: IndexSettings, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder.rename(folder.with_name("away"))
        with open_library(outdated) as library, pytest.raises(SourceError):
            library.sync()
        monkeypatch.undo()
        assert titles(outdated, "soup")[0] == "Lunch"

    def test_an_interrupted_rebuild_continues(self, outdated: IndexSettings, folder: Path) -> None:
        with open_library(outdated) as library:
            source = library.plan([_files(outdated)])[0]
            library.apply(source)
        (folder / "late.md").write_text("# Late\nAdded meanwhile.")
        with open_library(outdated) as library:
            (report,) = library.sync()
            assert (report.added, report.unchanged) == (1, 2)

    def test_a_rebuild_of_yet_another_identity_starts_anew(
        self, outdated: IndexSettings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with open_library(outdated) as library:
            library.apply(library.plan([_files(outdated)])[0])
        monkeypatch.setattr(chunking, "CHUNKER_VERSION", "after next")
        with open_library(outdated) as library:
            (report,) = library.sync()
            assert report.added == 2
        assert titles(outdated, "soup")[0] == "Lunch"


def _files(settings: IndexSettings):  # type: ignore[no-untyped-def]
    from indexer.library import open_sources

    (source,) = open_sources(settings)
    return source
