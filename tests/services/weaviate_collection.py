"""A collection of the stand-in for Weaviate: its schema, its objects, which of them match."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from weaviate.proto.v1 import base_pb2

Vector = NDArray[np.float32]

_STOPWORDS = frozenset(
    """a an and are as at be but by for if in into is it no not of on or such that the their then
    there these they this to was will with""".split()
)
_HNSW = {
    "cleanupIntervalSeconds": 300,
    "distance": "cosine",
    "dynamicEfMin": 100,
    "dynamicEfMax": 500,
    "dynamicEfFactor": 8,
    "ef": -1,
    "efConstruction": 128,
    "filterStrategy": "acorn",
    "flatSearchCutoff": 40000,
    "maxConnections": 32,
    "skip": False,
    "vectorCacheMaxObjects": 10**12,
}
_DEFAULTS: dict[str, Any] = {
    "invertedIndexConfig": {
        "bm25": {"b": 0.75, "k1": 1.2},
        "cleanupIntervalSeconds": 60,
        "stopwords": {"preset": "en", "additions": None, "removals": None},
    },
    "multiTenancyConfig": {"enabled": False},
    "replicationConfig": {
        "factor": 1,
        "asyncEnabled": False,
        "deletionStrategy": "TimeBasedResolution",
    },
    "shardingConfig": {
        "virtualPerPhysical": 128,
        "desiredCount": 1,
        "actualCount": 1,
        "desiredVirtualCount": 128,
        "actualVirtualCount": 128,
        "key": "_id",
        "strategy": "hash",
        "function": "murmur3",
    },
    "moduleConfig": {},
}


class Refusal(Exception):
    """What the server says instead of doing what it was asked."""


@dataclass
class StoredObject:
    uuid: str
    properties: dict[str, Any]
    vectors: dict[str, Vector]


@dataclass
class StoredCollection:
    """``schema`` is the JSON that made the collection, completed with the server's defaults.

    ``stale`` are objects as the node that answers has them, where it missed later changes.
    """

    schema: dict[str, Any]
    objects: dict[str, StoredObject] = field(default_factory=dict)
    stale: dict[str, StoredObject] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.schema = _completed(self.schema, _DEFAULTS)
        for one in self.schema["properties"]:
            if one["dataType"][0].startswith("text"):
                one.setdefault("tokenization", "word")
            one.setdefault("indexSearchable", one["dataType"][0].startswith("text"))
            one.setdefault("indexFilterable", True)
        for vector in self.schema["vectorConfig"].values():
            vector.setdefault("vectorIndexType", "hnsw")
            vector["vectorIndexConfig"] = _HNSW | vector.get("vectorIndexConfig", {})

    @property
    def name(self) -> str:
        return str(self.schema["class"])

    @property
    def factor(self) -> int:
        return int(self.schema["replicationConfig"]["factor"])

    @property
    def seen(self) -> dict[str, StoredObject]:
        """What the node that answers has."""
        return self.objects | self.stale

    def agrees(self, uuid: str, level: str) -> bool:
        """Whether the nodes that are compared have the same; what is behind is repaired then.

        As in Weaviate, nothing is compared, nor called consistent, where there is one copy.
        """
        compared = level != "ONE"
        behind = compared and self.stale.pop(uuid, None) is not None
        return self.factor > 1 and not behind

    def remove(self, uuid: str) -> None:
        self.objects.pop(uuid, None)
        self.stale.pop(uuid, None)

    def property(self, name: str) -> dict[str, Any]:
        for one in self.schema["properties"]:
            if one["name"] == name:
                return dict(one)
        raise Refusal(f"no such prop with name '{name}' found in class '{self.name}'")

    def insert(self, new: StoredObject) -> None:
        """Replaces an object of that uuid; unknown properties are refused (AUTOSCHEMA off)."""
        for name in new.properties:
            self.property(name)
        for name, vector in new.vectors.items():
            others = (one.vectors[name] for one in self.objects.values() if name in one.vectors)
            if next(others, vector).shape != vector.shape:
                raise Refusal("new node has a vector with length that differs from the others")
        self.remove(new.uuid)
        self.objects[new.uuid] = new

    def matching(self, condition: base_pb2.Filters | None) -> list[StoredObject]:
        """By uuid, the order of a cursor."""
        ordered = sorted(self.seen.values(), key=lambda one: one.uuid)
        if condition is None:
            return ordered
        return [one for one in ordered if self._fulfils(one, condition)]

    def words(self, name: str, value: object, *, asked: bool = False) -> list[str]:
        """A text as its property splits it; with "word", stopwords are not asked for."""
        texts = value if isinstance(value, list) else [value or ""]
        tokenization = self.property(name)["tokenization"]
        found = [word for text in texts for word in _TOKENIZATIONS[tokenization](str(text))]
        preset = self.schema["invertedIndexConfig"]["stopwords"]["preset"]
        if asked and tokenization == "word" and preset == "en":
            return [word for word in found if word not in _STOPWORDS]
        return found

    def _fulfils(self, one: StoredObject, condition: base_pb2.Filters) -> bool:
        operator = base_pb2.Filters.Operator.Name(condition.operator).removeprefix("OPERATOR_")
        if operator in ("AND", "OR"):
            parts = (self._fulfils(one, each) for each in condition.filters)
            return all(parts) if operator == "AND" else any(parts)
        asked = getattr(condition, str(condition.WhichOneof("test_value")))
        name = condition.target.property
        if operator.startswith("CONTAINS"):
            equal = (self._equals(one, name, each) for each in asked.values)
            return {"ANY": any, "ALL": all}[operator.removeprefix("CONTAINS_")](equal)
        if operator in ("EQUAL", "NOT_EQUAL"):
            return self._equals(one, name, asked) == (operator == "EQUAL")
        if operator == "LESS_THAN":
            return int(self._filterable(one, name)) < int(asked)
        raise Refusal(f"the stand-in does not know {operator}")

    def _equals(self, one: StoredObject, name: str, asked: object) -> bool:
        if name == "_id":
            return one.uuid == asked
        value = self._filterable(one, name)
        if self.property(name)["dataType"][0].startswith("text"):
            return set(self.words(name, asked, asked=True)) <= set(self.words(name, value))
        return bool(value == asked)

    def _filterable(self, one: StoredObject, name: str) -> Any:
        if not self.property(name)["indexFilterable"]:
            raise Refusal(f"filtering by property '{name}' requires an inverted index")
        return one.properties.get(name)


_TOKENIZATIONS: dict[str, Callable[[str], list[str]]] = {
    "field": lambda text: [text.strip()],
    "whitespace": str.split,
    "lowercase": lambda text: text.lower().split(),
    "word": lambda text: re.findall(r"[^\W_]+", text.lower()),
}


def _completed(given: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """Given values over defaults, table in table."""
    completed = defaults | given
    for name, default in defaults.items():
        if isinstance(default, dict):
            completed[name] = _completed(given.get(name, {}), default)
    return completed
