"""Runs a stage once and writes its manifest: inputs, outputs, code revision, metrics, how it ended.

A stage is a function from settings and inputs to a manifest, and does its work in a callback:

    def merge(table: MergeTable, adapter: Manifest, base: Path, folder: Path) -> Manifest:
        def work(run: Run) -> None:
            ...                                   # long work; resumable files go to run.scratch
            run.outputs["model"] = run.folder / "model"
            run.metrics["largest_difference"] = 1.1e-5

        inputs = {"adapter": adapter.output("adapter"), "base": base}
        return run_stage("merge", folder, settings=table, inputs=inputs, work=work)

``run_stage`` hashes the inputs first. Where ``folder/manifest.json`` tells of a finished run with
the same settings and inputs, and its outputs are unchanged, that manifest is returned and nothing
is done. After a crash of the very same run, ``run.resumed`` is true and ``run.scratch`` as it was
left; in every other case the scratch folder is empty. It is gone once the run has finished.
"""

from __future__ import annotations

import errno
import json
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from adapters.errors import AdaptersError, DiskFull, ManifestError, StageBusy
from adapters.runs.files import fingerprint, write_atomically
from bot.domain.errors import LorebotError
from indexer.errors import IndexerError
from indexer.file_lock import lock_file

MANIFEST = "manifest.json"
_PACKAGES = (
    "lorebot", "torch", "transformers", "peft", "trl", "bitsandbytes", "accelerate", "datasets",
    "tokenizers", "safetensors", "llama_cpp_python", "gguf", "numpy",
)  # fmt: skip
_FOR_PEOPLE = (AdaptersError, LorebotError, IndexerError)


class Status(StrEnum):
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"


class Output(BaseModel):
    """A file or folder that a run wrote; ``path`` is relative to the manifest's folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    sha256: str
    bytes: int


class Manifest(BaseModel):
    """One run of one stage. ``inputs`` maps each name to the SHA-256 of what was read.

    ``reason`` is a sentence where the run failed; ``revision`` is the git commit of the code, ""
    outside a checkout, and ``dirty`` whether the code differed from it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: Path = Field(exclude=True)
    run: str
    stage: str
    status: Status
    settings: dict[str, Any]
    inputs: dict[str, str]
    started: datetime
    revision: str
    dirty: bool
    packages: dict[str, str]
    finished: datetime | None = None
    reason: str = ""
    outputs: dict[str, Output] = {}
    metrics: dict[str, Any] = {}

    def output(self, name: str) -> Path:
        """Where an output lies. Raises ManifestError where the run wrote none of that name."""
        if name not in self.outputs:
            raise ManifestError(
                f"The run {self.run} in {self.folder} has no output {name!r}; "
                f"it has: {', '.join(self.outputs) or 'none'}."
            )
        return self.folder / self.outputs[name].path

    def changed_outputs(self) -> list[str]:
        """Names of the outputs that are not what the run wrote, or are gone."""
        return [
            name
            for name, output in self.outputs.items()
            if not self.output(name).exists() or fingerprint(self.output(name)) != output.sha256
        ]


@dataclass(slots=True)
class Run:
    """What a stage's work is given, and what it fills: ``outputs`` (inside ``folder``), ``metrics``
    (anything JSON can hold).
    """

    folder: Path
    scratch: Path
    resumed: bool
    outputs: dict[str, Path] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)


def run_stage(
    stage: str,
    folder: Path,
    *,
    settings: BaseModel | Mapping[str, Any],
    inputs: Mapping[str, Path | str],
    work: Callable[[Run], None],
    again: bool = False,
) -> Manifest:
    """Do a stage's work unless it has been done; the module's docstring says how.

    An input that is a Path is a file or folder, hashed by content; a str is its own identity (a
    digest, a version). ``again`` works even where a finished run is there. Whatever ``work``
    raises is noted in the manifest and raised on; DiskFull stands for an OSError that says so.
    Raises ManifestError for a missing input, StageBusy while another process is at it.
    """
    hashes = {name: _identity_of(name, given) for name, given in inputs.items()}
    folder.mkdir(parents=True, exist_ok=True)
    with _lock(folder):
        begun = _begin(stage, folder, _plain(settings), hashes)
        before = None if again else _earlier(begun, settings)
        if before and _is_done(before):
            return before
        was_cut = before is not None and before.status is not Status.FINISHED
        run = Run(folder, folder / "unfinished", resumed=was_cut)
        with _failure_noted(begun), _full_disk_explained(folder):
            _prepare_scratch(run)
            _write(begun)
            work(run)
            finished = _finish(begun, run)
        shutil.rmtree(run.scratch, ignore_errors=True)
        return finished


def load(folder: Path) -> Manifest:
    """The manifest of a folder. Raises ManifestError where there is none or it is damaged."""
    path = folder / MANIFEST
    try:
        return Manifest.model_validate({"folder": folder, **json.loads(path.read_text())})
    except FileNotFoundError:
        raise ManifestError(f"{folder} holds no {MANIFEST}; run the stage first.") from None
    except (OSError, ValueError, TypeError, ValidationError) as error:
        raise ManifestError(
            f"{path} cannot be read ({type(error).__name__}); remove it and run the stage again."
        ) from error


def load_finished(folder: Path, stage: str) -> Manifest:
    """A finished run of that stage, its outputs unchanged since; else ManifestError."""
    manifest = load(folder)
    if manifest.stage != stage:
        raise ManifestError(f"{folder} holds a run of {manifest.stage!r}, not of {stage!r}.")
    if manifest.status is not Status.FINISHED:
        raise ManifestError(
            f"The {stage} run in {folder} has not finished ({manifest.status}"
            f"{f': {manifest.reason}' if manifest.reason else ''}); run it again."
        )
    if changed := manifest.changed_outputs():
        raise ManifestError(
            f"In {folder} these are not what the run wrote: {', '.join(changed)}. "
            f"Run {stage} again."
        )
    return manifest


def _package_versions() -> dict[str, str]:
    found: dict[str, str] = {}
    for package in _PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


@cache
def _code_revision() -> tuple[str, bool]:
    """The commit of a checkout that holds this very package, and whether anything differs from it.

    A package installed into an environment inside another repository has none.
    """
    git = shutil.which("git")
    package = Path(__file__).parent

    def output_of(*arguments: str) -> str | None:
        done = subprocess.run(  # noqa: S603 - constants only
            [git or "git", *arguments], cwd=package, capture_output=True, text=True, check=False
        )
        return done.stdout.strip() if done.returncode == 0 else None

    if git is None or output_of("ls-files", "--error-unmatch", "__init__.py") is None:
        return "", False
    return output_of("rev-parse", "HEAD") or "", bool(output_of("status", "--porcelain"))


def _identity_of(name: str, given: Path | str) -> str:
    if isinstance(given, str):
        return given
    if not given.exists():
        raise ManifestError(f"The input {name!r} is missing: there is no {given}.")
    return fingerprint(given)


def _lock(folder: Path) -> IO[str]:
    try:
        return lock_file(folder / ".lock")
    except BlockingIOError:
        raise StageBusy(
            f"Another process is working in {folder}; wait for it, or name another folder."
        ) from None


def _plain(settings: BaseModel | Mapping[str, Any]) -> dict[str, Any]:
    """As JSON holds them, so that they compare equal to those of an earlier manifest."""
    if isinstance(settings, BaseModel):
        return settings.model_dump(mode="json")
    return dict(json.loads(json.dumps(settings, default=str)))


def _begin(stage: str, folder: Path, settings: dict[str, Any], hashes: dict[str, str]) -> Manifest:
    now = datetime.now(UTC)
    revision, dirty = _code_revision()
    return Manifest(
        folder=folder,
        run=f"{stage}-{now:%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:6]}",
        stage=stage,
        status=Status.RUNNING,
        settings=settings,
        inputs=hashes,
        started=now,
        revision=revision,
        dirty=dirty,
        packages=_package_versions(),
    )


def _earlier(begun: Manifest, settings: BaseModel | Mapping[str, Any]) -> Manifest | None:
    """An earlier run in the same folder that did, or began, exactly this."""
    if not (begun.folder / MANIFEST).exists():
        return None
    before = load(begun.folder)
    is_same = (before.stage, before.inputs) == (begun.stage, begun.inputs) and _under_todays_names(
        before.settings, settings
    ) == begun.settings
    return before if is_same else None


def _under_todays_names(
    noted: dict[str, Any], settings: BaseModel | Mapping[str, Any]
) -> dict[str, Any]:
    """What an earlier version noted, where its settings are still valid: renamed since, or without
    a key that is newer.
    """
    if not isinstance(settings, BaseModel):
        return noted
    try:
        return _plain(type(settings).model_validate(noted))
    except ValidationError:
        return noted


def _is_done(manifest: Manifest) -> bool:
    return manifest.status is Status.FINISHED and not manifest.changed_outputs()


def _prepare_scratch(run: Run) -> None:
    """Nothing of another run is mistaken for this one's."""
    if not run.resumed:
        shutil.rmtree(run.scratch, ignore_errors=True)
    run.scratch.mkdir(exist_ok=True)


def _finish(begun: Manifest, run: Run) -> Manifest:
    finished = begun.model_copy(
        update={
            "status": Status.FINISHED,
            "finished": datetime.now(UTC),
            "outputs": {name: _describe(run.folder, path) for name, path in run.outputs.items()},
            "metrics": json.loads(json.dumps(run.metrics, allow_nan=False)),
        }
    )
    _write(finished)
    return finished


def _describe(folder: Path, path: Path) -> Output:
    files = [each for each in path.rglob("*") if each.is_file()] if path.is_dir() else [path]
    return Output(
        path=path.relative_to(folder).as_posix(),
        sha256=fingerprint(path),
        bytes=sum(each.stat().st_size for each in files),
    )


@contextmanager
def _failure_noted(begun: Manifest) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        reason = str(error) if isinstance(error, _FOR_PEOPLE) else type(error).__name__
        failed = {"status": Status.FAILED, "finished": datetime.now(UTC), "reason": reason}
        with suppress(OSError):  # a full disk must not hide what went wrong before
            _write(begun.model_copy(update=failed))
        raise


@contextmanager
def _full_disk_explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DiskFull(
            f"The disk of {folder} is full; free some space and start again: what is done is kept."
        ) from error


def _write(manifest: Manifest) -> None:
    write_atomically(manifest.folder / MANIFEST, manifest.model_dump_json(indent=2) + "\n")
