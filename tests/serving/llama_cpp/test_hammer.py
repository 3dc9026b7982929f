from __future__ import annotations

from pathlib import Path

from tests.benchmarks.hammer import Hammer


def test_many_threads_leaving_in_every_way_get_the_texts_of_single_runs(tmp_path: Path) -> None:
    seen = Hammer(tmp_path, threads=20, seconds=5).run()
    assert seen["mismatches"] == seen["left_active"] == 0
    assert min(seen[event] for event in ("finished", "cancelled", "swaps", "too_long")) > 0
