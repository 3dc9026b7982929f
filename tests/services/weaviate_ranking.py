"""How the stand-in for Weaviate ranks: exact cosine, and BM25F over the given properties."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tests.services.weaviate_collection import Refusal, StoredCollection, StoredObject, Vector

_K1 = 1.2
_B = 0.75


def nearest(among: Sequence[StoredObject], name: str, vector: Vector) -> dict[str, float]:
    """Cosine distances by uuid, smallest first."""
    distances: dict[str, float] = {}
    for one in among:
        stored = one.vectors.get(name)
        if stored is None:
            continue
        if stored.shape != vector.shape:
            raise Refusal("vector lengths don't match")
        length = float(np.linalg.norm(stored) * np.linalg.norm(vector)) or 1.0
        distances[one.uuid] = 1 - float(stored @ vector) / length
    return dict(sorted(distances.items(), key=lambda each: each[1]))


def matching(
    collection: StoredCollection, among: Sequence[StoredObject], text: str, fields: Sequence[str]
) -> dict[str, float]:
    """Scores by uuid, best first; ``fields`` are ``property^weight``.

    As in Weaviate, how rare a term is counts all objects, also those that a filter hides.
    """
    weights = {
        name: float(weight or 1) for name, _, weight in (one.partition("^") for one in fields)
    }
    for name in weights:
        if not collection.property(name)["indexSearchable"]:
            raise Refusal(f"property '{name}' is not searchable")
    index = _Index.of(collection, weights)
    asked = {term for name in weights for term in collection.words(name, text, asked=True)}
    scores = {one.uuid: sum(index.score(one.uuid, term) for term in asked) for one in among}
    found = {uuid: score for uuid, score in scores.items() if score > 0}
    return dict(sorted(found.items(), key=lambda each: -each[1]))


@dataclass(frozen=True)
class _Index:
    weights: dict[str, float]
    counts: dict[str, dict[str, Counter[str]]]
    averages: dict[str, float]

    @classmethod
    def of(cls, collection: StoredCollection, weights: dict[str, float]) -> _Index:
        counts = {
            one.uuid: {
                name: Counter(collection.words(name, one.properties.get(name))) for name in weights
            }
            for one in collection.seen.values()
        }
        averages = {
            name: sum(each[name].total() for each in counts.values()) / max(len(counts), 1) or 1.0
            for name in weights
        }
        return cls(weights, counts, averages)

    def score(self, uuid: str, term: str) -> float:
        frequency = sum(
            weight * counter[term] / (1 - _B + _B * counter.total() / self.averages[name])
            for name, weight in self.weights.items()
            for counter in [self.counts[uuid][name]]
        )
        if not frequency:
            return 0.0
        holding = sum(any(one[term] for one in each.values()) for each in self.counts.values())
        rarity = math.log(1 + (len(self.counts) - holding + 0.5) / (holding + 0.5))
        return rarity * frequency * (_K1 + 1) / (frequency + _K1)
