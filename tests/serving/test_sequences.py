from __future__ import annotations

from bot.serving.sequences import SequencePool, common_prefix_length


class Cells:
    """What each sequence holds, counted instead of computed."""

    def __init__(self) -> None:
        self.copies: list[tuple[int, int, int]] = []
        self.removed: list[int] = []

    def copy(self, source: int, target: int, length: int) -> None:
        self.copies.append((source, target, length))

    def remove(self, sequence: int) -> None:
        self.removed.append(sequence)


def finished(pool: SequencePool, tokens: list[int]) -> int:
    cached = pool.open(tokens)
    cached.tokens = tokens
    pool.keep(cached)
    return cached.sequence


def test_longest_known_beginning_is_shared_but_the_last_token_is_computed() -> None:
    cells = Cells()
    pool = SequencePool(cells, count=4, keep_at_most=3)
    finished(pool, [1, 9])
    source = finished(pool, [1, 2, 3, 4])
    cached = pool.open([1, 2, 3])
    assert cached.tokens == [1, 2]
    assert cells.copies[-1] == (source, cached.sequence, 2)


def test_beginning_of_a_sequence_in_use_is_shared_too() -> None:
    pool = SequencePool(Cells(), count=4, keep_at_most=2)
    pool.open([1, 2, 3]).tokens += [1, 2]
    assert pool.open([1, 2, 3]).tokens == [1, 2]


def test_recurrent_state_is_only_shared_whole() -> None:
    pool = SequencePool(Cells(), count=4, keep_at_most=2, shares_any_prefix=False)
    finished(pool, [1, 2, 3])
    assert pool.open([1, 2, 4]).tokens == []
    assert pool.open([1, 2, 3, 4]).tokens == [1, 2, 3]


def test_sequence_used_least_recently_is_forgotten_first() -> None:
    cells = Cells()
    pool = SequencePool(cells, count=5, keep_at_most=2)
    older, newer = finished(pool, [1, 1]), finished(pool, [2, 2])
    pool.drop(pool.open([1, 1, 5]))
    assert pool.evict()
    assert cells.removed[-1] == newer
    assert pool.evict()
    assert cells.removed[-1] == older
    assert not pool.evict()


def test_sequence_that_begins_another_is_not_kept_beside_it() -> None:
    cells = Cells()
    pool = SequencePool(cells, count=4, keep_at_most=3)
    shorter = finished(pool, [1, 2])
    finished(pool, [1, 2, 3])
    assert cells.removed == [shorter]


def test_fork_shares_everything_and_none_is_given_when_all_are_in_use() -> None:
    cells = Cells()
    pool = SequencePool(cells, count=2, keep_at_most=0)
    parent = pool.open([1, 2])
    parent.tokens += [1, 2]
    fork = pool.fork(parent)
    assert fork is not None
    assert fork.tokens == [1, 2]
    assert pool.fork(parent) is None
    pool.drop(fork)
    assert pool.fork(parent) is not None


def test_common_prefix_length_is_that_of_all_lists() -> None:
    assert common_prefix_length([[1, 2, 3], [1, 2], [1, 2, 4]]) == 2
    assert common_prefix_length([[1], [2]]) == 0
    assert common_prefix_length([[1, 2]]) == 2
