"""Text, pages and vectors made up for benchmarks, the same ones every time."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from indexer.documents import Vectors

_SAMPLE = Path(__file__).parents[2] / "bot" / "workspace" / "sample"
_SYLLABLES = [consonant + vowel for consonant in "bdfghklmnprstvz" for vowel in "aeiou"]


def sentences() -> list[str]:
    """Those of the sample handbook."""
    text = "\n".join(path.read_text() for path in sorted(_SAMPLE.rglob("*.md")))
    return [one for one in re.findall(r"[A-Z][^.\n#|]{30,200}\.", text) if "  " not in one]


def write_pages(folder: Path, count: int) -> list[Path]:
    """Markdown pages of four sections, some 350 words each."""
    chance = random.Random(7)
    pool = sentences()
    paths = []
    for number in range(count):
        path = folder / f"team-{number % 10}" / f"page-{number}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        parts = [f"# Page {number}"]
        for section in range(4):
            parts.append(f"## Section {section} of page {number}")
            parts += [" ".join(chance.choices(pool, k=3)) for _ in range(2)]
        path.write_text("\n\n".join(parts) + "\n")
        paths.append(path)
    return paths


class ZipfWords:
    """Made-up words, the n-th of them used as often as 1 / n."""

    def __init__(self, vocabulary: int = 50_000) -> None:
        chance = random.Random(11)
        words: dict[str, None] = {}
        while len(words) < vocabulary:
            words["".join(chance.choices(_SYLLABLES, k=chance.choice((2, 3, 4))))] = None
        self._words = np.array(list(words))
        weights = 1 / np.arange(1, vocabulary + 1)
        self._shares = np.cumsum(weights / weights.sum())
        self._chance = np.random.default_rng(13)

    def texts(self, count: int, words: int) -> Iterator[str]:
        for _ in range(count):
            ranks = np.searchsorted(self._shares, self._chance.random(words))
            yield " ".join(self._words[np.minimum(ranks, len(self._words) - 1)].tolist())

    def common(self, count: int) -> frozenset[str]:
        """The most frequent ones, which stand for a language's stopwords."""
        return frozenset(self._words[:count].tolist())


def clustered_vectors(count: int, dimension: int, clusters: int = 1000) -> Vectors:
    """Unit vectors around random centres, at a cosine of some .7 to their own."""
    chance = np.random.default_rng(17)
    centres = _unit(chance.standard_normal((clusters, dimension), np.float32))
    noise = _unit(chance.standard_normal((count, dimension), np.float32))
    return _unit(centres[chance.integers(clusters, size=count)] + noise)


def near(vector: Vectors, chance: np.random.Generator) -> Vectors:
    """Another unit vector, at a cosine of some .7."""
    return _unit(vector + _unit(chance.standard_normal(vector.shape, np.float32)))


def _unit(vectors: Vectors) -> Vectors:
    unit: Vectors = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return unit.astype(np.float32)
