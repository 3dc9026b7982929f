"""What a sync costs when nothing has changed, beside the first one.

Run with ``make bench NAME=incremental_sync``; ``--folder`` takes a folder of your own instead of
300 made-up pages. Every sync opens the index anew, as a command does. The last line is one JSON
object: ``unchanged_ratio`` is the time of an unchanged sync over that of the first.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from statistics import median

from indexer.documents import PUBLIC
from indexer.index import open_index, open_source
from indexer.settings import FilesSource, IndexSettings
from indexer.sync.sync import Report
from tests.benchmarks.generated import write_pages


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="instead of made-up pages")
    parser.add_argument("--pages", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5, help="unchanged syncs")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.folder or Path(scratch) / "pages"
        if arguments.folder is None:
            write_pages(folder, arguments.pages)
        settings = IndexSettings(data_dir=Path(scratch) / "data", sources=())
        first, report = _sync(folder, settings)
        print(f"The first sync took {first:.1f} s.")
        later = [_sync(folder, settings) for _ in range(arguments.rounds)]
    unchanged = median(seconds for seconds, _ in later)
    result = {
        "unchanged_ratio": round(unchanged / first, 5),
        "first_s": round(first, 2),
        "unchanged_s": round(unchanged, 3),
        "documents": report.added,
        "unreadable": len(report.unreadable),
        "chunks": report.chunks,
        "chunks_embedded_again": sum(again.chunks for _, again in later),
    }
    print(json.dumps(result))


def _sync(folder: Path, settings: IndexSettings) -> tuple[float, Report]:
    """Seconds from opening the index to closing it, and what was done."""
    start = time.perf_counter()
    source = open_source(FilesSource(name="pages", path=folder, audience=(PUBLIC,)), settings)
    with open_index(settings) as index:
        reports = [index.apply(plan) for plan in index.plan([source])]
        index.finish(reports)
    return time.perf_counter() - start, reports[0]


if __name__ == "__main__":
    main()
