"""The same library, its index in a server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer.documents import Audience
from indexer.index import open_index
from indexer.settings import FilesSource, IndexSettings, StoreTable
from tests.services.weaviate_standin import WeaviateStandIn

PUBLIC = Audience.of("public")


@pytest.fixture
def page(tmp_path: Path) -> Path:
    page = tmp_path / "docs" / "lunch.md"
    page.parent.mkdir()
    page.write_text("# Lunch\nSoup is served at noon.")
    return page


@pytest.fixture
def settings(page: Path, tmp_path: Path, cache_dir: Path) -> Iterator[IndexSettings]:
    with WeaviateStandIn() as standin:
        yield IndexSettings(
            data_dir=tmp_path / "data",
            cache_dir=cache_dir,
            sources=(FilesSource(name="docs", path=page.parent, audience=("public",)),),
            store=StoreTable(kind="weaviate", url=standin.url, grpc_port=standin.grpc_port),
        )


def test_folders_are_synced_to_the_server_and_found_by_another_process(
    page: Path, settings: IndexSettings
) -> None:
    with open_index(settings) as syncing, open_index(settings) as answering:
        (report,) = syncing.sync()
        assert (report.added, report.chunks) == (1, 1)
        page.write_text("# Lunch\nStew is served at one.")
        (report,) = syncing.sync()
        assert report.changed == 1
        (found,) = answering.retriever(PUBLIC).passages("When is lunch served?")
        assert found.chunk.text.endswith("Stew is served at one.")
        assert not settings.index_path.exists()


def test_a_rebuild_embeds_everything_anew_and_who_answers_goes_on_with_it(
    settings: IndexSettings,
) -> None:
    with open_index(settings) as rebuilding, open_index(settings) as answering:
        rebuilding.sync()
        rebuilding.begin_rebuild()
        (report,) = rebuilding.sync()
        assert (report.added, report.unchanged, report.chunks) == (1, 0, 1)
        for index in (rebuilding, answering):
            (found,) = index.retriever(PUBLIC).passages("When is lunch served?")
            assert found.chunk.text.endswith("Soup is served at noon.")
