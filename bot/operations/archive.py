"""Reads and writes backup archives: zip files that only their owner may read, with SHA-256 sums."""

from __future__ import annotations

import hashlib
import lzma
import os
import shutil
import struct
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import IO, Literal, Self
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

from pydantic import BaseModel, ConfigDict, model_validator

from bot.domain.errors import BackupError
from bot.records.suppression_list import Forgotten
from indexer.private_files import make_private_folder, open_private

RECORDS, RECORDS_DUMP, JOBS = "records.sqlite", "records.pgdump", "jobs.sqlite"
_MANIFEST = "manifest.json"
_FOLDERS = ("adapters", "models")
_BLOCK = 1 << 20
_MOST_MANIFEST = 64 << 20
_DAMAGE = (
    BadZipFile, KeyError, EOFError, ValueError, OverflowError, struct.error, zlib.error,
    lzma.LZMAError, OSError, RuntimeError,
)  # fmt: skip
"""What reading a zip raises that was changed or cut: RuntimeError where an entry is said to be
encrypted or compressed in an unknown way, OSError from bz2 and from a seek out of the file."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Part(_Value):
    """One file; ``name`` is its path, relative to the data folder."""

    name: str
    sha256: str
    bytes: int

    @model_validator(mode="after")
    def _stays_inside(self) -> Self:
        path = PurePosixPath(self.name)
        is_below = len(path.parts) > 1 and path.parts[0] in _FOLDERS
        if ".." in path.parts or not (is_below or self.name in (RECORDS, RECORDS_DUMP, JOBS)):
            raise ValueError(f"{self.name!r} is no part of a backup")
        return self


class ModelFile(_Value):
    """A model of the registry. ``path`` is as the registry keeps it: relative to data_dir/models,
    or absolute.
    """

    name: str
    path: str
    sha256: str
    bytes: int


class Manifest(_Value):
    """What an archive holds. ``revision`` is that of the records' schema."""

    format: Literal[1] = 1
    lorebot: str
    made_at: datetime
    revision: str
    parts: tuple[Part, ...]
    models: tuple[ModelFile, ...]
    forgotten: tuple[Forgotten, ...]

    def part(self, name: str) -> Part | None:
        return next((part for part in self.parts if part.name == name), None)


class Archive:
    """An archive being read. Nothing in it is believed that its manifest does not vouch for."""

    def __init__(self, path: Path, zipped: ZipFile) -> None:
        self._path = path
        self._zipped = zipped
        self.manifest = self._read_manifest()

    def extract(self, part: Part, to: Path) -> None:
        """Write a part to a new file. Raises BackupError where it is not what was backed up."""
        make_private_folder(to.parent)
        with _private(to) as target:
            copied = _copied(self._blocks(part.name), target, most=part.bytes)
        if copied != (part.sha256, part.bytes):
            raise BackupError(f"{self._path} is damaged: {part.name} is not what was kept.")

    def _read_manifest(self) -> Manifest:
        with self._damage_explained(), self._zipped.open(_MANIFEST) as file:
            manifest = Manifest.model_validate_json(file.read(_MOST_MANIFEST))
        if {part.name for part in manifest.parts} | {_MANIFEST} != set(self._zipped.namelist()):
            raise BackupError(f"{self._path} is damaged: parts are missing, or were added.")
        return manifest

    def _blocks(self, name: str) -> Iterator[bytes]:
        """Of reading alone the errors are explained: a disk that is full is no damage."""
        with self._damage_explained(), self._zipped.open(name) as source:
            yield from _blocks(source)

    @contextmanager
    def _damage_explained(self) -> Iterator[None]:
        try:
            yield
        except _DAMAGE as error:
            raise BackupError(
                f"{self._path} is no backup of this version of Lorebot, or is damaged "
                f"({type(error).__name__}): take another."
            ) from error


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """Raises BackupError."""
    try:
        zipped = ZipFile(path)
    except _DAMAGE as error:
        raise BackupError(f"{path} cannot be read as a backup: {error}.") from error
    with zipped:
        yield Archive(path, zipped)


class Writing:
    """An archive being written."""

    def __init__(self, zipped: ZipFile) -> None:
        self._zipped = zipped
        self.parts: list[Part] = []

    def add(self, name: str, file: Path) -> None:
        with file.open("rb") as source, self._zipped.open(name, "w", force_zip64=True) as target:
            digest, size = _copied(_blocks(source), target)
        self.parts.append(Part(name=name, sha256=digest, bytes=size))

    def finish(self, manifest: Manifest) -> None:
        self._zipped.writestr(_MANIFEST, manifest.model_dump_json(indent=1))


@contextmanager
def writing(path: Path, staging: Path) -> Iterator[Writing]:
    """An archive that is at ``path`` once the block has ended without an error, and whole; until
    then it is in ``staging``, a folder of the same file system.

    Raises BackupError where there is something already, or it cannot be written.
    """
    if path.exists():
        raise BackupError(f"{path} exists: name another file, or a folder.")
    unfinished = staging / "archive"
    with written_or_explained(path):
        with _private(unfinished) as file:
            with ZipFile(file, "w", ZIP_DEFLATED) as zipped:
                yield Writing(zipped)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)


@contextmanager
def written_or_explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BackupError(
            f"{path} could not be written ({error.strerror or error}): check the folder's "
            "permissions and free space. Nothing that was there has changed."
        ) from error


def free_space_for(folder: Path, size: int) -> None:
    """Raises BackupError where ``size`` bytes do not fit."""
    free = shutil.disk_usage(folder).free
    if free < size:
        raise BackupError(
            f"{folder} has {free >> 20} MB free, and {(size >> 20) + 1} MB are needed; nothing "
            "was changed."
        )


def _private(path: Path) -> IO[bytes]:
    """A new file that only its owner may read."""
    return open(path, "wb", opener=open_private)


def _blocks(source: IO[bytes]) -> Iterator[bytes]:
    while block := source.read(_BLOCK):
        yield block


def _copied(blocks: Iterable[bytes], target: IO[bytes], most: int | None = None) -> tuple[str, int]:
    """SHA-256 and size of what was copied, which ends a block behind ``most``."""
    digest, size = hashlib.sha256(), 0
    for block in blocks:
        digest.update(block)
        size += target.write(block)
        if most is not None and size > most:
            break
    return digest.hexdigest(), size
