"""The same library, its index in a server."""

from pathlib import Path

from indexer.documents import Audience
from indexer.library import open_library
from indexer.settings import FilesSource, IndexSettings, StoreTable
from tests.services.weaviate_standin import WeaviateStandIn

PUBLIC = Audience.of("public")


def test_folders_are_synced_to_the_server_and_found_by_another_process(
    tmp_path: Path, cache_dir: Path
) -> None:
    page = tmp_path / "docs" / "lunch.md"
    page.parent.mkdir()
    page.write_text("# Lunch\nSoup is served at noon.")
    with WeaviateStandIn() as standin:
        settings = IndexSettings(
            data_dir=tmp_path / "data",
            cache_dir=cache_dir,
            sources=(FilesSource(name="docs", path=page.parent, audience=("public",)),),
            store=StoreTable(kind="weaviate", url=standin.url, grpc_port=standin.grpc_port),
        )
        with open_library(settings) as syncing, open_library(settings) as answering:
            (report,) = syncing.sync()
            assert (report.added, report.chunks) == (1, 1)
            page.write_text("# Lunch\nStew is served at one.")
            (report,) = syncing.sync()
            assert report.changed == 1
            (found,) = answering.retriever(PUBLIC).passages("When is lunch served?")
            assert found.chunk.text.endswith("Stew is served at one.")
            assert not settings.index_path.exists()
