"""Which tokens lie in the key-value cache under which sequence, and reusing them.

A finished sequence is kept until its place is needed. A new prompt shares the longest beginning
it has in common with any sequence, so that only the rest has to be computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol


class Memory(Protocol):
    """The part of a context that this module steers."""

    def copy(self, source: int, target: int, length: int) -> None: ...

    def remove(self, sequence: int) -> None: ...


@dataclass(slots=True, eq=False)
class CachedTokens:
    """A sequence of the cache and the tokens computed under it so far."""

    sequence: int
    tokens: list[int] = field(default_factory=list)


class SequencePool:
    """Hands out sequences 0 to ``count`` − 1; at most ``keep_at_most`` stay after their use.

    ``shares_any_prefix`` is false for models with a recurrent state, of which only the whole
    can be shared.
    """

    def __init__(
        self, memory: Memory, *, count: int, keep_at_most: int, shares_any_prefix: bool = True
    ) -> None:
        self._memory = memory
        self._keep_at_most = keep_at_most
        self._shares_any_prefix = shares_any_prefix
        self._free = list(range(count))
        self._open: list[CachedTokens] = []
        self._kept: list[CachedTokens] = []  # least recently used first

    def open(self, prompt: Sequence[int]) -> CachedTokens:
        """A sequence that already holds as much of ``prompt`` as is known, less its last token.

        The last token is always left to compute, because its scores are wanted.
        """
        sources = [(self._shareable(kept, prompt), kept) for kept in self._open + self._kept]
        length, source = max(sources, key=lambda pair: pair[0], default=(0, None))
        if source is None or not length:
            return self._take([])
        if source in self._kept:
            self._kept.remove(source)
            self._kept.append(source)
        return self._share(source, length)

    def fork(self, parent: CachedTokens) -> CachedTokens | None:
        """A second sequence that shares all of ``parent``; None when none is free."""
        return self._share(parent, len(parent.tokens)) if self._free else None

    def keep(self, cached: CachedTokens) -> None:
        """The sequence is finished; its tokens stay for later prompts."""
        self._open.remove(cached)
        for kept in list(self._kept):
            if _common_length(kept.tokens, cached.tokens) == len(kept.tokens):
                self._kept.remove(kept)
                self._release(kept)
        self._kept.append(cached)
        if len(self._kept) > self._keep_at_most:
            self.evict()

    def drop(self, cached: CachedTokens) -> None:
        """The sequence is finished and of no further use."""
        self._open.remove(cached)
        self._release(cached)

    def evict(self) -> bool:
        """Forget the kept sequence used least recently; false when none is kept."""
        if not self._kept:
            return False
        self._release(self._kept.pop(0))
        return True

    def _shareable(self, source: CachedTokens, prompt: Sequence[int]) -> int:
        common = _common_length(source.tokens, prompt[:-1])
        whole = common == len(source.tokens)
        return common if whole or self._shares_any_prefix else 0

    def _share(self, source: CachedTokens, length: int) -> CachedTokens:
        target = self._take(source.tokens[:length])
        self._memory.copy(source.sequence, target.sequence, length)
        return target

    def _take(self, tokens: list[int]) -> CachedTokens:
        taken = CachedTokens(self._free.pop(), tokens)
        self._open.append(taken)
        return taken

    def _release(self, cached: CachedTokens) -> None:
        self._memory.remove(cached.sequence)
        self._free.append(cached.sequence)


def common_prefix_length(token_lists: Sequence[list[int]]) -> int:
    """Length of the beginning that all lists have in common."""
    least, greatest = min(token_lists), max(token_lists)
    return _common_length(least, greatest)


def _common_length(one: Sequence[int], other: Sequence[int]) -> int:
    for length, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return length
    return min(len(one), len(other))
