import pytest

from indexer.stores.fusion import fuse


def test_each_leg_is_scaled_to_its_own_best_and_worst() -> None:
    assert fuse({1: 0.9, 2: 0.5, 3: 0.1}, {2: 12.0, 4: 2.0}, 0.25) == pytest.approx(
        {1: 0.25, 2: 0.25 * 0.5 + 0.75, 3: 0.0, 4: 0.0}
    )


def test_equal_scores_all_count_fully() -> None:
    assert fuse({1: 0.3, 2: 0.3}, {3: 7.0}, 0.4) == pytest.approx({1: 0.4, 2: 0.4, 3: 0.6})


def test_one_leg_alone_and_none() -> None:
    assert fuse({}, {5: 2.0, 6: 1.0}, 0.5) == {5: 0.5, 6: 0.0}
    assert fuse({}, {}, 0.5) == {}
