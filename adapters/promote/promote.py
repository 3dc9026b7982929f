"""Stage ``promote``: past the gate into the registry, as a canary or for everybody.

The file is kept beside the other models, for the next run of the pipeline writes over it. So are
the manifests of every run that led to it, which is where a served answer's lineage ends.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.errors import PromotionRefused
from adapters.evaluate.comparison import Difference, read_comparison
from adapters.promote.gate import objections
from adapters.runs.files import write_atomically
from adapters.runs.manifest import Manifest, Run, run_stage
from adapters.settings import PromoteTable
from bot.domain.values import Fingerprint, ModelLabel
from bot.models.registry import Registry
from bot.models.versions import ModelVersion
from indexer.private_files import make_private_folder

LINEAGE = ".lineage.json"
_SHORT = 8


@dataclass(frozen=True, slots=True)
class Candidate:
    """What may be promoted: the output ``gguf`` of ``made``, which ``verified`` held against its
    source and ``evaluated`` compared with what serves.

    An unmerged adapter needs the output ``gguf`` of ``base``, which is verified in the same way.
    ``history`` are the manifests of all runs behind it, the dataset's first.
    """

    made: Manifest
    verified: Sequence[Manifest]
    evaluated: Manifest
    history: Sequence[Manifest]
    base: Manifest | None = None

    @property
    def sha256(self) -> str:
        return self.made.outputs["gguf"].sha256

    @property
    def is_measured(self) -> bool:
        """Whether what was evaluated is this file, with the very base that it is served with."""
        measured = Fingerprint.parse(self.evaluated.inputs["candidate"])
        if self.base is None:
            return measured == Fingerprint(self.sha256)
        adapter = ModelLabel.parse(measured.adapter)
        is_this = adapter is not None and adapter.matches(self.sha256)
        return is_this and measured.weights == self.base.outputs["gguf"].sha256

    @property
    def is_verified(self) -> bool:
        seen = set[str]()
        for run in self.verified:
            seen.update(run.inputs.values(), (output.sha256 for output in run.outputs.values()))
        files = (self.made, self.base) if self.base else (self.made,)
        return all(run.outputs["gguf"].sha256 in seen for run in files)

    def name(self, pipeline: str) -> str:
        """The same file has the same name."""
        return f"{pipeline}-{self.sha256[:_SHORT]}"


def promote(
    table: PromoteTable,
    registry: Registry,
    candidate: Candidate,
    folder: Path,
    *,
    name: str,
    by: str,
    signed_by: str = "",
    again: bool = False,
) -> Manifest:
    """Register the candidate as ``name`` and let it answer where the settings say; output
    ``lineage``.

    ``by`` is who asks for it, ``signed_by`` who answers for it. Raises PromotionRefused with every
    reason, and then nothing has changed; RegistryError.
    """
    comparison = candidate.evaluated.output("comparison")
    differences = read_comparison(comparison)

    def work(run: Run) -> None:
        refusals = [
            *_not_the_file(registry, candidate),
            *objections(table, differences),
            *_unsigned(table, signed_by),
        ]
        if refusals:
            raise PromotionRefused(
                f"{name} is not promoted, and nothing has changed:\n  " + "\n  ".join(refusals)
            )
        kept = _register(registry, candidate, differences, name, signed_by)
        run.outputs["lineage"] = run.folder / "lineage.json"
        shutil.copyfile(kept, run.outputs["lineage"])
        run.metrics |= _let_answer(table, registry, name, signed_by or by)

    inputs: dict[str, Path | str] = {
        "gguf": candidate.made.output("gguf"),
        "comparison": comparison,
        "version": name,
        "signed_by": signed_by,
    }
    return run_stage("promote", folder, settings=table, inputs=inputs, work=work, again=again)


def identity(version: ModelVersion | None) -> str:
    """As an evaluation names a model: SHA-256 of the weights, and which adapter."""
    return str(version.fingerprint) if version else ""


def _not_the_file(registry: Registry, candidate: Candidate) -> list[str]:
    """What was measured must be what would answer, against what answers now."""
    refusals = []
    if not candidate.is_measured:
        refusals.append("Another file was evaluated: run evaluate again.")
    if not candidate.is_verified:
        refusals.append("Another file was verified: run verify again.")
    now = registry.serving().version
    is_there = now is not None and now.sha256 == candidate.sha256  # before a crash, or again
    if not is_there and candidate.evaluated.inputs["serving"] != identity(now):
        refusals.append(
            "It was compared with another model than the one that serves now: run evaluate again."
        )
    return refusals


def _unsigned(table: PromoteTable, signed_by: str) -> list[str]:
    if table.sign_off and not signed_by:
        return ["Nobody has signed for it: read the report, and add --signed-by with your name."]
    return []


def _register(
    registry: Registry,
    candidate: Candidate,
    differences: Sequence[Difference],
    name: str,
    signed_by: str,
) -> Path:
    """Where the lineage is kept."""
    lineage = registry.folder / f"{name}{LINEAGE}"
    make_private_folder(registry.folder)
    kept = _keep(candidate.made.output("gguf"), registry.folder / f"{name}.gguf")
    runs = [manifest.model_dump(mode="json") for manifest in candidate.history]
    write_atomically(lineage, json.dumps({"version": name, "runs": runs}, indent=2) + "\n")
    note = str(candidate.evaluated.metrics.get("verdict", ""))
    measured = {each.metric: each.candidate for each in differences}
    base = _base_version(registry, candidate.base) if candidate.base else ""
    registry.add(kept, name=name, base=base, source=str(lineage))
    registry.evaluate(name, measured, f"{note} Signed by {signed_by}." if signed_by else note)
    return lineage


def _base_version(registry: Registry, base: Manifest) -> str:
    """The version of this very file, registered now if need be: adapters share it."""
    sha256 = base.outputs["gguf"].sha256
    for version in registry.versions():
        if version.sha256 == sha256 and version.base is None:
            return version.name
    name = f"base-{sha256[:_SHORT]}"
    kept = _keep(base.output("gguf"), registry.folder / f"{name}.gguf")
    return registry.add(kept, name=name, note="the base of adapters, untaught").name


def _keep(source: Path, target: Path) -> Path:
    """A second name for the file where the disk allows it, else a copy; whole or not there."""
    part = target.with_name(f"{target.name}.part")
    part.unlink(missing_ok=True)
    try:
        os.link(source, part)
    except OSError:
        shutil.copyfile(source, part)
    part.replace(target)
    part.unlink(missing_ok=True)  # two names of one file are not replaced by each other
    return target


def _let_answer(table: PromoteTable, registry: Registry, name: str, by: str) -> dict[str, Any]:
    """Doing it again after a crash changes nothing."""
    now = registry.serving()
    channels = table.canary_channels
    if table.canary_share or channels:
        begun = now.canary
        is_begun = begun and (begun.version.name, begun.share, begun.channels) == (
            name,
            table.canary_share,
            channels,
        )
        if not is_begun:
            registry.canary(name, by, share=table.canary_share, channels=channels)
        return {"version": name, "canary_share": table.canary_share, "channels": list(channels)}
    if now.version is None or now.version.name != name or now.canary:
        registry.activate(name, by)
    return {"version": name, "canary_share": 0.0, "channels": []}
