"""From a served answer back to the data: model version, training runs, dataset."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.tree import Tree

from adapters.errors import ManifestError
from adapters.promote.promote import LINEAGE
from adapters.runs.manifest import Manifest
from bot.models.registry import Registry
from bot.models.versions import ModelVersion
from bot.records.database import Database
from bot.records.feedback import Feedback

_SHORT = 12
_SHOWN = ("examples", "counts", "threads", "loss", "validation_loss", "verdict")


@dataclass(frozen=True, slots=True)
class Lineage:
    """``answer`` is the id of the answer that was asked about, "" for a version; ``runs`` are the
    manifests behind ``version``, the dataset's first, none for a model that was not trained here.
    ``made_by`` says what answered where no version of the registry did.
    """

    answer: str
    made_by: str
    version: ModelVersion | None
    runs: tuple[Manifest, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "answer": self.answer or None,
            "made_by": self.made_by,
            "version": self.version.name if self.version else None,
            "sha256": self.version.sha256 if self.version else None,
            "source": self.version.source if self.version else None,
            "runs": [run.model_dump(mode="json") for run in self.runs],
        }


def lineage(which: str, database: Database, registry: Registry) -> Lineage:
    """Of a version by its name, or of an answer by its id or the link to its message.

    Raises ManifestError where there is neither, or what was kept is damaged.
    """
    versions = {version.name: version for version in registry.versions()}
    if which in versions:
        return _of(versions[which], answer="", made_by=which)
    judged = Feedback(database).find(which) if which else None
    if judged is None:
        raise ManifestError(
            f"There is no answer and no model version {which!r}: give the id of an answer or the "
            "link to its message, or one of the names that `lorebot model list` shows."
        )
    told = judged.answer.versions
    candidates = (one for one in versions.values() if one.has_answered(told.model, told.adapter))
    served = next(candidates, None)
    made_by = " ".join(filter(None, (told.model, told.adapter))) or "quoting, without a model"
    if served is None:
        return Lineage(judged.answer_id, made_by, None, ())
    return _of(served, answer=judged.answer_id, made_by=made_by)


def tree(found: Lineage) -> Tree:
    """For a terminal."""
    root = Tree(f"answer {found.answer}" if found.answer else f"version {escape(found.made_by)}")
    if found.answer:
        root.add(f"made by {escape(found.made_by)}")
    if found.version is None:
        root.add("no version of the registry, so nothing more is known")
        return root
    version = root.add(f"[bold]{escape(found.version.name)}[/]  {found.version.sha256[:_SHORT]}…")
    if not found.runs:
        version.add(f"not trained here: {escape(found.version.source) or 'added by hand'}")
    for run in reversed(found.runs):
        branch = version.add(f"[bold]{run.stage}[/]  {run.run}")
        for line in _lines(run):
            branch.add(escape(line))
    return root


def _of(version: ModelVersion, *, answer: str, made_by: str) -> Lineage:
    kept = version.source.endswith(LINEAGE)
    return Lineage(answer, made_by, version, _runs(Path(version.source)) if kept else ())


def _runs(path: Path) -> tuple[Manifest, ...]:
    try:
        runs = json.loads(path.read_text(encoding="utf-8"))["runs"]
        return tuple(Manifest.model_validate({"folder": path.parent, **run}) for run in runs)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ManifestError(
            f"The lineage in {path} cannot be read ({type(error).__name__}): bring the file back "
            "from a backup; the model itself is not affected."
        ) from error


def _lines(run: Manifest) -> Iterator[str]:
    revision = f"{run.revision[:_SHORT]}{' with changes' if run.dirty else ''}"
    yield f"{run.started:%Y-%m-%d %H:%M} UTC, code {revision or 'of an installed package'}"
    for name, output in run.outputs.items():
        yield f"{name}: {output.bytes:,} bytes, SHA-256 {output.sha256[:_SHORT]}…"
    for name in _SHOWN:
        if name in run.metrics:
            yield f"{name}: {run.metrics[name]}"
