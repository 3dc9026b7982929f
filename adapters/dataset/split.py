"""Which threads are trained on and which are kept: by time, each thread in one split only."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from datetime import datetime

from adapters.dataset.deduplicate import SimilarTexts
from adapters.dataset.examples import Split
from adapters.dataset.exchanges import Exchange


def split_threads(
    exchanges: Iterable[Exchange], *, validation_share: float, held_out_share: float
) -> dict[str, Split]:
    """The newest threads are held out, those before them validate, the oldest are trained on.

    A thread is as new as its newest question. Threads without a time, such as golden questions,
    are dealt by hash into the same shares. While there is more than one thread, each share above
    0 has at least one, training first.
    """
    newest: dict[str, datetime | None] = {}
    for exchange in exchanges:
        known = newest.get(exchange.thread)
        if known is None or (exchange.asked_at and exchange.asked_at > known):
            newest[exchange.thread] = exchange.asked_at
    timed = {thread: at for thread, at in newest.items() if at}
    by_time = sorted(timed, key=lambda thread: (timed[thread], thread))
    by_hash = sorted(newest.keys() - timed.keys(), key=_even)
    return {
        thread: split
        for ordered in (by_time, by_hash)
        for thread, split in _dealt(ordered, validation_share, held_out_share)
    }


def without_repeats(
    exchanges: Iterable[Exchange], splits: Mapping[str, Split], threshold: float
) -> tuple[list[Exchange], int]:
    """Those whose question, if it is not trained on, is not trained on in other words either.

    Returns them in their order, and how many went.
    """
    everything = list(exchanges)
    trained = SimilarTexts(threshold)
    for exchange in everything:
        if splits[exchange.thread] is Split.TRAIN:
            trained.add(exchange.question.text)
    kept = [
        exchange
        for exchange in everything
        if splits[exchange.thread] is Split.TRAIN or exchange.question.text not in trained
    ]
    return kept, len(everything) - len(kept)


def _dealt(
    ordered: list[str], validation_share: float, held_out_share: float
) -> Iterable[tuple[str, Split]]:
    spare = max(0, len(ordered) - 1)
    held_out = min(spare, math.ceil(held_out_share * len(ordered)))
    validation = min(spare - held_out, math.ceil(validation_share * len(ordered)))
    for place, thread in enumerate(reversed(ordered)):
        if place < held_out:
            yield thread, Split.HELD_OUT
        elif place < held_out + validation:
            yield thread, Split.VALIDATION
        else:
            yield thread, Split.TRAIN


def _even(thread: str) -> str:
    return hashlib.sha256(thread.encode()).hexdigest()
