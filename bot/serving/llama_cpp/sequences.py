"""Which tokens lie in the key-value cache under which sequence, and reusing them.

A new prompt shares the longest beginning it has in common with any sequence, so that only the rest
has to be computed. A finished sequence is kept outside the cache, whose every used cell would slow
down each later token. What an adapter computed is shared only with prompts for the same adapter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

WORTH_SHARING = 64  # tokens; fewer are computed again rather than kept or waited for


KEPT_BYTES = 1 << 29


class Memory(Protocol):
    """The part of a context that this module steers."""

    def copy(self, source: int, target: int, length: int) -> None: ...

    def remove(self, sequence: int) -> None: ...

    def save(self, sequence: int) -> bytes: ...

    def restore(self, sequence: int, state: bytes, length: int) -> bool: ...


@dataclass(slots=True, eq=False)
class CachedTokens:
    """A sequence of the cache and the tokens computed under it so far."""

    sequence: int
    tokens: list[int] = field(default_factory=list)
    adapter: str = ""


@dataclass(frozen=True, slots=True)
class KeptTokens:
    """What was computed for these tokens, outside the cache."""

    tokens: list[int]
    adapter: str
    state: bytes


@dataclass(frozen=True, slots=True)
class Places:
    """How many sequences there may be at once, and how many finished ones are kept."""

    opened: int
    forked: int
    kept: int

    @property
    def total(self) -> int:
        return self.opened + self.forked


class SequencePool:
    """Hands out sequences 0 to ``places.total`` − 1.

    ``shares_any_prefix`` is false for models with a recurrent state, of which only the whole
    can be shared. At most ``kept_bytes`` of finished sequences are kept.
    """

    def __init__(
        self,
        memory: Memory,
        places: Places,
        *,
        shares_any_prefix: bool = True,
        kept_bytes: int = KEPT_BYTES,
    ) -> None:
        self._memory = memory
        self._places = places
        self._shares_any_prefix = shares_any_prefix
        self._kept_bytes = kept_bytes
        self._free = list(range(places.total))
        self._opened: list[CachedTokens] = []
        self._forked: list[CachedTokens] = []
        self._kept: list[KeptTokens] = []  # least recently used first
        self.reused_tokens = 0

    @property
    def used_cells(self) -> int:
        """Tokens of the opened sequences; what two of them share counts twice."""
        return sum(len(cached.tokens) for cached in list(self._opened))

    def open(self, prompt: Sequence[int], adapter: str = "") -> CachedTokens:
        """A sequence that already holds as much of ``prompt`` as is known, less its last token.

        The last token is always left to compute, because its scores are wanted.
        """
        length, source = self._best_source(prompt[:-1], adapter)
        opened = CachedTokens(self._free.pop(), adapter=adapter)
        if isinstance(source, CachedTokens):
            self._share(source, opened, length)
        elif source is not None:
            self._kept.remove(source)
            self._kept.append(source)
            if self._memory.restore(opened.sequence, source.state, length):
                opened.tokens = source.tokens[:length]
        self._opened.append(opened)
        self.reused_tokens += len(opened.tokens)
        return opened

    def known(self, prompt: Sequence[int], adapter: str = "") -> int:
        """How many tokens of ``prompt`` need not be computed."""
        return self._best_source(prompt[:-1], adapter)[0]

    def worth_waiting(
        self, prompt: Sequence[int], planned: Sequence[Sequence[int]], adapter: str
    ) -> bool:
        """Much of ``prompt`` is about to be computed for others, and can be shared afterwards."""
        if not (planned and self._shares_any_prefix):
            return False
        shared = max(common_length(prompt, other) for other in planned)
        return shared - self.known(prompt, adapter) >= WORTH_SHARING

    def fork(self, parent: CachedTokens) -> CachedTokens | None:
        """A second sequence that shares all of ``parent``; None when too many are in use."""
        if len(self._forked) == self._places.forked:
            return None
        fork = CachedTokens(self._free.pop(), adapter=parent.adapter)
        self._forked.append(fork)
        self._share(parent, fork, len(parent.tokens))
        return fork

    def keep(self, cached: CachedTokens) -> None:
        """The sequence is finished; its tokens stay for later prompts, if they add enough."""
        self._opened.remove(cached)
        known, _ = self._best_source(cached.tokens, cached.adapter)
        if len(cached.tokens) - known >= WORTH_SHARING:
            self._save(cached)
        self._release(cached)

    def drop(self, cached: CachedTokens) -> None:
        """The sequence, opened or forked, is finished and of no further use."""
        (self._opened if cached in self._opened else self._forked).remove(cached)
        self._release(cached)

    def _save(self, cached: CachedTokens) -> None:
        self._kept = [
            kept
            for kept in self._kept
            if self._shareable(kept, cached.tokens, cached.adapter) < len(kept.tokens)
        ]
        state = self._memory.save(cached.sequence)
        self._kept.append(KeptTokens(cached.tokens, cached.adapter, state))
        self._forget()

    def _forget(self) -> None:
        """What was used least recently goes first."""
        while (
            len(self._kept) > self._places.kept
            or sum(len(kept.state) for kept in self._kept) > self._kept_bytes
        ):
            self._kept.pop(0)

    def _best_source(
        self, wanted: Sequence[int], adapter: str
    ) -> tuple[int, CachedTokens | KeptTokens | None]:
        """What is in the cache already comes before what must be brought back."""
        sources: list[CachedTokens | KeptTokens] = [*self._opened, *self._kept]
        found = [(self._shareable(source, wanted, adapter), source) for source in sources]
        length, source = max(found, key=lambda pair: pair[0], default=(0, None))
        return (length, source) if length else (0, None)

    def _shareable(
        self, source: CachedTokens | KeptTokens, wanted: Sequence[int], adapter: str
    ) -> int:
        if source.adapter != adapter:
            return 0
        common = common_length(source.tokens, wanted)
        whole = common == len(source.tokens)
        return common if whole or self._shares_any_prefix else 0

    def _share(self, source: CachedTokens, target: CachedTokens, length: int) -> None:
        target.tokens = source.tokens[:length]
        self._memory.copy(source.sequence, target.sequence, length)

    def _release(self, cached: CachedTokens) -> None:
        self._memory.remove(cached.sequence)
        self._free.append(cached.sequence)


def common_prefix_length(token_lists: Sequence[list[int]]) -> int:
    """Length of the beginning that all lists have in common."""
    return common_length(min(token_lists), max(token_lists))


def common_length(one: Sequence[int], other: Sequence[int]) -> int:
    """Length of the beginning that both lists have in common."""
    same, differing = 0, min(len(one), len(other)) + 1
    while differing - same > 1:  # slices are compared far faster than token by token
        middle = (same + differing) // 2
        if one[same:middle] == other[same:middle]:
            same = middle
        else:
            differing = middle
    return same
