"""The report of a dataset: how much of what, how well balanced, and what was left out and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from adapters.dataset.collect import Collected
from adapters.dataset.examples import Origin, Source, Split, Taught
from adapters.settings import DatasetTable

_MOST_TOPICS = 15
_FEW = 50


def figures_of(
    taught: Taught, collected: Collected, found: Counter[str], table: DatasetTable
) -> dict[str, Any]:
    """What the manifest keeps: numbers, and ``warnings`` in sentences. No person is named."""
    origins = _exchanges(taught)
    askers = Counter(collected.askers[name] for name in origins if name in collected.askers)
    figures: dict[str, Any] = {
        "exchanges": len(origins),
        "examples": _examples(taught),
        "preferences": {split.value: len(each) for split, each in taught.preferences.items()},
        "thumbs": {
            split.value: dict(Counter("up" if one.label else "down" for one in each))
            for split, each in taught.thumbs.items()
        },
        "ai_feedback": len(taught.ai_feedback),
        "ai_feedback_share": _ai_share(taught),
        "sources": _counted(origin.source.value for origin in origins.values()),
        "channels": _counted(origin.channel for origin in origins.values()),
        "documents": _counted(
            document for origin in origins.values() for document in origin.documents
        ),
        "askers": len(askers),
        "largest_asker_share": _largest_share(askers),
        "redacted": dict(sorted(found.items())),
        "left_out": {reason.value: n for reason, n in collected.left_out.most_common() if n},
    }
    return figures | {"warnings": _warnings(figures, origins, table)}


def markdown(figures: Mapping[str, Any]) -> str:
    """For people: the figures as tables."""
    parts = [
        "# What is learned from",
        f"{figures['exchanges']} exchanges of {figures['askers']} people.",
        *(f"**Mind:** {warning}" for warning in figures["warnings"]),
        "## Examples",
        _table(
            ("kind", "source", "train", "validation", "held out"),
            (
                (kind, source, *(by_split.get(s, 0) for s in ("train", "validation", "held_out")))
                for kind, by_source in figures["examples"].items()
                for source, by_split in by_source.items()
            ),
        ),
        f"Preference pairs: {_told(figures['preferences'])}. Thumbs: "
        f"{_told({s: sum(each.values()) for s, each in figures['thumbs'].items()})}. "
        f"Judged by a model, in a file of their own: {figures['ai_feedback']}, which are "
        f"{figures['ai_feedback_share']:.0%} of the thumbs to learn from.",
        "## Balance",
        f"The person who asked most asked {figures['largest_asker_share']:.0%} of the exchanges.",
        _table(("source", "exchanges"), figures["sources"].items()),
        _table(("channel", "exchanges"), figures["channels"].items()),
        _table(("document", "exchanges"), list(figures["documents"].items())[:_MOST_TOPICS]),
        "## Replaced",
        _table(("what", "times"), figures["redacted"].items()),
        "## Left out",
        _table(("why", "answers"), figures["left_out"].items()),
        f"Judgements left out because too few say the opposite: "
        f"{figures['one_sided_judgements_left_out']}.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _exchanges(taught: Taught) -> dict[str, Origin]:
    """Those of people, by name; general examples and AI feedback are counted apart."""
    items = [
        item
        for by_split in (taught.examples, taught.preferences, taught.thumbs)
        for each in by_split.values()
        for item in each
    ]
    return {
        item.origin.exchange: item.origin
        for item in items
        if item.origin.source is not Source.GENERAL
    }


def _examples(taught: Taught) -> dict[str, dict[str, dict[str, int]]]:
    """Numbers by kind, source and split."""
    counts: dict[str, dict[str, dict[str, int]]] = {}
    for split, examples in taught.examples.items():
        for example in examples:
            by_source = counts.setdefault(example.kind.value, {})
            by_split = by_source.setdefault(example.origin.source.value, {})
            by_split[split.value] = by_split.get(split.value, 0) + 1
    return counts


def _warnings(
    figures: Mapping[str, Any], origins: Mapping[str, Origin], table: DatasetTable
) -> list[str]:
    said: list[str] = []
    if figures["largest_asker_share"] > table.asker_share:
        said.append(
            f"one person asked {figures['largest_asker_share']:.0%} of what is learned: the model "
            "will learn that person's questions first."
        )
    if len(origins) < _FEW:
        said.append(f"{len(origins)} exchanges are few; expect little, and measure it.")
    top = next(iter(figures["documents"].items()), None)
    if top and len(figures["documents"]) > 1 and top[1] > len(origins) / 2:
        said.append(f"more than half of the exchanges rest on {top[0]}.")
    if figures["ai_feedback"] and not any(figures["thumbs"].values()):
        said.append("all thumbs are a model's own; have people vote before you rely on them.")
    elif figures["ai_feedback_share"] > 0.5:
        said.append(
            f"{figures['ai_feedback_share']:.0%} of the thumbs to learn from are a model's own."
        )
    return said


def _ai_share(taught: Taught) -> float:
    """Of the labels that ``prefer`` trains on, those of a model, in 0..1."""
    of_people = len(taught.thumbs.get(Split.TRAIN, ()))
    labels = len(taught.ai_feedback)
    return round(labels / (labels + of_people), 4) if labels else 0.0


def _largest_share(askers: Counter[str]) -> float:
    return round(max(askers.values()) / askers.total(), 4) if askers else 0.0


def _counted(names: Iterable[str]) -> dict[str, int]:
    """Most frequent first, ties by name."""
    return dict(sorted(Counter(names).items(), key=lambda item: (-item[1], item[0])))


def _told(by_split: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {split.replace('_', ' ')}" for split, n in by_split.items())


def _table(head: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> str:
    body = ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    if not body:
        return ""
    return "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *body])
