from __future__ import annotations

import pytest

from bot.serving.llama_cpp.sequences import (
    WORTH_SHARING,
    Places,
    SequencePool,
    common_length,
    common_prefix_length,
)

MANY = WORTH_SHARING


class Cells:
    """What is copied and removed, noted instead of done."""

    def __init__(self) -> None:
        self.copies: list[tuple[int, int, int]] = []
        self.removed: list[int] = []
        self.restored: list[tuple[bytes, int, int]] = []
        self.has_room = True

    def copy(self, source: int, target: int, length: int) -> None:
        self.copies.append((source, target, length))

    def remove(self, sequence: int) -> None:
        self.removed.append(sequence)

    def save(self, sequence: int) -> bytes:
        return b"state of %d" % sequence

    def restore(self, sequence: int, state: bytes, length: int) -> bool:
        self.restored.append((state, sequence, length))
        return self.has_room


def pool_of(cells: Cells | None = None, *, kept: int = 3, any_prefix: bool = True) -> SequencePool:
    places = Places(opened=3, forked=2, kept=kept)
    return SequencePool(cells or Cells(), places, shares_any_prefix=any_prefix)


def finished(pool: SequencePool, tokens: list[int], adapter: str = "") -> int:
    cached = pool.open(tokens, adapter)
    cached.tokens = tokens
    pool.keep(cached)
    return cached.sequence


def test_longest_known_beginning_is_shared_but_the_last_token_is_computed() -> None:
    cells = Cells()
    pool = pool_of(cells)
    finished(pool, [1, *[9] * MANY])
    source = finished(pool, [1, *[2] * MANY])
    cached = pool.open([1, 2, 2])
    assert cached.tokens == [1, 2]
    assert cells.restored[-1] == (b"state of %d" % source, cached.sequence, 2)


def test_what_is_in_the_cache_is_shared_in_place() -> None:
    cells = Cells()
    pool = pool_of(cells)
    source = pool.open([1] * MANY)
    source.tokens = [1] * MANY
    cached = pool.open([1, 1, 2])
    assert cells.copies == [(source.sequence, cached.sequence, 2)]
    assert cells.restored == []


def test_what_finds_no_room_in_the_cache_is_computed_again() -> None:
    cells = Cells()
    cells.has_room = False
    pool = pool_of(cells)
    finished(pool, [1] * MANY)
    assert pool.open([1] * MANY).tokens == []
    assert pool.reused_tokens == 0


def test_finished_sequences_leave_the_cache() -> None:
    cells = Cells()
    pool = pool_of(cells)
    assert cells.removed == [finished(pool, [1] * MANY)]


def test_reused_tokens_are_counted() -> None:
    pool = pool_of()
    finished(pool, [1] * MANY)
    assert pool.known([1, 1, 2]) == 2
    assert pool.reused_tokens == 0
    pool.open([1, 1, 2])
    assert pool.reused_tokens == 2


def test_cells_are_used_by_what_is_open() -> None:
    pool = pool_of()
    assert pool.used_cells == 0
    first, second = pool.open([1, 2]), pool.open([3, 4])
    first.tokens, second.tokens = [1, 2], [3]
    assert pool.used_cells == 3
    pool.keep(first)
    pool.drop(second)
    assert pool.used_cells == 0


def test_beginning_of_a_sequence_in_use_is_shared_too() -> None:
    pool = pool_of()
    pool.open([1, 2, 3]).tokens += [1, 2]
    assert pool.open([1, 2, 3]).tokens == [1, 2]


def test_nothing_is_shared_between_adapters() -> None:
    pool = pool_of()
    tokens = [1] * MANY
    finished(pool, tokens, "legal")
    assert pool.known(tokens, "") == pool.known(tokens, "sales") == 0
    assert pool.known(tokens, "legal") == MANY - 1
    fork = pool.fork(pool.open(tokens, "legal"))
    assert fork is not None
    assert fork.adapter == "legal"


def test_recurrent_state_is_only_shared_whole() -> None:
    pool = pool_of(any_prefix=False)
    finished(pool, [1] * MANY)
    assert pool.open([1] * (MANY - 1)).tokens == []
    assert pool.open([1] * (MANY + 1)).tokens == [1] * MANY


def test_sequence_used_least_recently_is_forgotten_first() -> None:
    pool = pool_of(kept=2)
    finished(pool, [1] * MANY)
    finished(pool, [2] * MANY)
    pool.drop(pool.open([1, 1, 5]))
    finished(pool, [3] * MANY)
    assert [pool.known([token] * 3) for token in (1, 2, 3)] == [2, 0, 2]


def test_no_more_bytes_are_kept_than_allowed() -> None:
    two = 2 * len(b"state of 0")
    pool = SequencePool(Cells(), Places(opened=3, forked=2, kept=9), kept_bytes=two)
    for token in (1, 2, 3):
        finished(pool, [token] * MANY)
    assert [pool.known([token] * 3) for token in (1, 2, 3)] == [0, 2, 2]


def test_sequence_that_begins_another_is_not_kept_beside_it() -> None:
    pool = pool_of(kept=2)
    finished(pool, [9] * MANY)
    finished(pool, [1] * MANY)
    finished(pool, [1] * 2 * MANY)
    assert pool.known([9] * 3) == 2
    assert pool.known([1] * 2 * MANY) == 2 * MANY - 1


@pytest.mark.parametrize("still_open", [True, False])
def test_sequence_that_adds_little_to_another_is_not_kept(still_open: bool) -> None:
    pool = pool_of()
    first = pool.open([1])
    first.tokens = [1] * MANY
    if not still_open:
        pool.keep(first)
    finished(pool, [1] * MANY + [2] * (MANY - 1))
    assert pool.known([1] * MANY + [2] * MANY) == MANY


def test_prompt_waits_for_another_that_computes_much_of_it() -> None:
    pool = pool_of()
    prompt, other = [1] * MANY + [2], [1] * MANY + [3]
    assert pool.worth_waiting(prompt, [[7], other], "")
    assert not pool.worth_waiting(prompt, [other[2:]], "")
    assert not pool.worth_waiting(prompt, [], "")
    finished(pool, other)
    assert not pool.worth_waiting(prompt, [other], "")
    assert not pool_of(any_prefix=False).worth_waiting(prompt, [other], "")


def test_fork_shares_everything_and_none_is_given_when_all_are_in_use() -> None:
    pool = pool_of()
    parent = pool.open([1, 2])
    parent.tokens += [1, 2]
    fork, _ = pool.fork(parent), pool.fork(parent)
    assert fork is not None
    assert fork.tokens == [1, 2]
    assert pool.fork(parent) is None
    pool.drop(fork)
    assert pool.fork(parent) is not None


def test_forks_leave_the_places_of_others_free() -> None:
    pool = pool_of(kept=1)
    finished(pool, [5] * MANY)
    parent = pool.open([1])
    while pool.fork(parent) is not None:
        pass
    assert {pool.open([2]).sequence, pool.open([3]).sequence} <= set(range(6))


def test_common_prefix_length_is_that_of_all_lists() -> None:
    assert common_prefix_length([[1, 2, 3], [1, 2], [1, 2, 4]]) == 2
    assert common_prefix_length([[1], [2]]) == 0
    assert common_prefix_length([[1, 2]]) == 2


@pytest.mark.parametrize("length", range(12))
def test_common_length_is_found_wherever_two_lists_part(length: int) -> None:
    one = list(range(11))
    other = [*one[:length], *[-1] * (11 - length)]
    assert common_length(one, other) == common_length(other, one) == min(length, 11)
    assert common_length(one[:length], one) == min(length, 11)
