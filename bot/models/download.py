"""Downloads large files over HTTP: resumed where the connection broke, checked, then put in place.

Files of the hub come this way too: ``hf_hub_download`` (2.4) keeps nothing of a download that
failed, compares no SHA-256, gives up at the storage's first 503 and only warns of a full disk.
"""

from __future__ import annotations

import errno
import shutil
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from bot.domain.errors import ModelError, RegistryError
from bot.models.gguf_file import identify
from indexer.private_files import make_private_folder, open_private

RETRIES = 3
_TIMEOUT = httpx.Timeout(30.0)
_RETRIED = frozenset({408, 425, 429, *range(500, 600)})
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)

Progress = Callable[[int, int | None], None]
"""Told the bytes that are there, and how many there will be where that is known."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A GGUF file at ``url``. ``source`` names it without secrets; ``sha256`` is "" if unknown."""

    url: str
    source: str
    sha256: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or self.url


def download(
    remote: RemoteFile, target: Path, progress: Progress, *, retry_seconds: float = 1.0
) -> None:
    """Fetch a file to ``target``, which appears only when it is whole.

    After a failure the bytes received are kept beside it as ``….part``, and the next call resumes
    there; not without a SHA-256, because then a wrong continuation would not be noticed. A broken
    connection is resumed with range requests (RFC 9110, section 14), up to three times without any
    progress, after ``retry_seconds`` that double each time. Raises RegistryError.
    """
    mark = remote.sha256[:12] or uuid.uuid4().hex
    part = target.with_name(f"{target.name}.{mark}.part")
    try:
        make_private_folder(target.parent)
        with httpx.Client(timeout=_TIMEOUT, follow_redirects=True) as client:
            _Transfer(client, remote, part, progress).run(retry_seconds)
        _check(remote, part)
        part.replace(target)
    except OSError as error:
        raise _not_writable(error, part) from error
    finally:
        if not remote.sha256:
            with suppress(OSError):
                part.unlink(missing_ok=True)


class _Interrupted(Exception):
    """Worth another try; says why."""


class _Transfer:
    def __init__(
        self, client: httpx.Client, remote: RemoteFile, part: Path, progress: Progress
    ) -> None:
        self._client = client
        self._remote = remote
        self._part = part
        self._progress = progress
        self._connected = False
        self._validator = ""

    def run(self, retry_seconds: float) -> None:
        failures = 0
        while True:
            before = _size(self._part)
            try:
                return self._fetch(before)
            except (_Interrupted, httpx.TransportError) as error:
                failures = 1 if _size(self._part) > before else failures + 1
                if failures > RETRIES or not self._connected:
                    raise self._gave_up(error) from error
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise self._gave_up(error) from error
            time.sleep(retry_seconds * 2 ** (failures - 1))

    def _fetch(self, done: int) -> None:
        """One request for what is missing. Raises _Interrupted or httpx.HTTPError."""
        if done and not (self._remote.sha256 or self._validator):
            done = 0
        headers = {**self._remote.headers, "Accept-Encoding": "identity"}
        if done:
            headers["Range"] = f"bytes={done}-"
            if self._validator:
                headers["If-Range"] = self._validator
        with self._client.stream("GET", self._remote.url, headers=headers) as response:
            self._connected = True
            if done and response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                self._check_nothing_is_missing(response, done)
                return
            self._check_status(response)
            if response.status_code != httpx.codes.PARTIAL_CONTENT:
                done = 0
            elif not response.headers.get("Content-Range", "").startswith(f"bytes {done}-"):
                raise _Interrupted("it sent another part than was asked for")
            etag = response.headers.get("ETag", "")
            self._validator = "" if etag.startswith("W/") else etag
            self._write(response, done)

    def _write(self, response: httpx.Response, done: int) -> None:
        length = response.headers.get("Content-Length", "")
        total = done + int(length) if length.isdigit() else None
        free = shutil.disk_usage(self._part.parent).free
        if total is not None and total - done > free:
            raise RegistryError(
                f"The disk of {self._part.parent} has {free / 1e9:.1f} GB left, but "
                f"{(total - done) / 1e9:.1f} GB are to come: free some space and try again."
            )
        self._progress(done, total)
        with open(self._part, "ab" if done else "wb", opener=open_private) as file:
            for piece in response.iter_raw():
                file.write(piece)
                done += len(piece)
                self._progress(done, total)

    def _check_nothing_is_missing(self, response: httpx.Response, done: int) -> None:
        """All was there already, unless the file became shorter: then from the beginning."""
        if response.headers.get("Content-Range", "") != f"bytes */{done}":
            self._part.unlink()
            raise _Interrupted("its file is shorter than before")

    def _check_status(self, response: httpx.Response) -> None:
        status = response.status_code
        if response.is_success:
            return
        if status in _RETRIED:
            raise _Interrupted(f"it answers with status {status}")
        remedy = {
            401: "it wants to know who you are",
            403: "you may not read it",
            404: "there is no such file",
            410: "the file is gone",
        }.get(status, f"it answers with status {status}")
        raise RegistryError(
            f"{self._remote.host} does not give {self._remote.source}: {remedy}. Check the "
            "address, or copy the file here and run `lorebot model add FILE`."
        )

    def _gave_up(self, error: Exception) -> RegistryError:
        reason = str(error) or type(error).__name__
        if not self._connected:
            return unreachable(self._remote.host, reason)
        kept = _size(self._part) if self._remote.sha256 else 0
        return RegistryError(
            f"The download from {self._remote.host} broke off: {reason.rstrip('.')}. "
            + (f"{kept / 1e6:.1f} MB are kept; the" if kept else "The")
            + f" same command {'goes on from there' if kept else 'begins anew'}."
        )


def unreachable(host: str, reason: str) -> RegistryError:
    return RegistryError(
        f"{host} cannot be reached from here ({reason.rstrip('.')}). Copy the model's GGUF file "
        "to this machine by other means and run `lorebot model add FILE`."
    )


def _check(remote: RemoteFile, part: Path) -> None:
    """A wrong file is removed, or the next try would resume it."""
    try:
        found = identify(part).sha256
    except ModelError as error:
        part.unlink(missing_ok=True)
        raise RegistryError(
            f"What {remote.host} sent is no GGUF file, and was removed: check the address."
        ) from error
    if remote.sha256 and found != remote.sha256:
        part.unlink()
        raise RegistryError(
            f"What {remote.host} sent has the SHA-256 {found}, not {remote.sha256} as expected, "
            "and was removed. Try once more; if it happens again, do not use that file."
        )


def _not_writable(error: OSError, part: Path) -> RegistryError:
    if error.errno in _NO_SPACE:
        return RegistryError(
            f"The disk of {part.parent} is full: free some space, and the same command goes on."
        )
    return RegistryError(f"{part} cannot be written ({error.strerror}): make the folder writable.")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
