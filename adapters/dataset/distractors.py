"""Distractors: passages beside the golden ones that do not answer (RAFT, arXiv:2403.10131)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random

from adapters.dataset.exchanges import Exchange, support_of
from indexer.documents import Passage

_TRIES = 20  # draws from the pool for each passage wanted


class Distractors:
    """Chooses for each exchange, the same ones for the same seed."""

    def __init__(self, exchanges: Iterable[Exchange], *, support: float, seed: int) -> None:
        """The passages of all ``exchanges`` are the pool; ``support`` is the share of a sentence's
        words from which a passage holds it, and so is no distractor.
        """
        pool = {
            passage.chunk.id: passage
            for exchange in exchanges
            for passage in (*exchange.cited, *exchange.seen)
        }
        self._pool = [pool[chunk] for chunk in sorted(pool)]
        self._support = support
        self._seed = seed

    def of(self, exchange: Exchange, count: int) -> list[Passage]:
        """At most ``count`` passages that the exchange's readers may see, none of a document it
        cites, none that holds a sentence of its good answer: those that were found for the
        question first, then others at random. Where nothing was rightly found, only the former
        are known not to answer.
        """
        chance = exchange.random(self._seed, "distractors")
        found = list(exchange.seen)
        chance.shuffle(found)
        chosen: dict[str, Passage] = {}
        for passage in (*found, *self._others(exchange, chance, _TRIES * count)):
            if len(chosen) == count:
                break
            if passage.chunk.id not in chosen and self._misleads(exchange, passage):
                chosen[passage.chunk.id] = passage
        return list(chosen.values())

    def _others(self, exchange: Exchange, chance: Random, tries: int) -> Iterator[Passage]:
        if self._pool and not exchange.is_refusal:
            yield from (chance.choice(self._pool) for _ in range(tries))

    def _misleads(self, exchange: Exchange, passage: Passage) -> bool:
        documents = {cited.chunk.document_id for cited in exchange.cited}
        if passage.chunk.document_id in documents:
            return False
        if not passage.audience.admits(exchange.question.audience):
            return False
        sentences = exchange.good.sentences if exchange.good and not exchange.is_refusal else []
        return all(support_of(sentence, passage) < self._support for sentence in sentences)
