"""Documents from a folder."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from indexer import front_matter
from indexer.documents import Audience, Document
from indexer.errors import DocumentError, SourceError
from indexer.markdown import first_heading, unix_lines
from indexer.settings import FilesSource as FilesTable
from indexer.sources.base import Unreadable

_LARGEST = 20 * 1024 * 1024


def _markdown(path: Path) -> str:
    """UTF-8 text without NUL bytes. Raises DocumentError, OSError."""
    if path.stat().st_size > _LARGEST:
        raise DocumentError(f"it is larger than {_LARGEST // 2**20} MiB; split it.")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DocumentError(f"it is not UTF-8 (byte {error.start}); save it as UTF-8.") from error
    if "\0" in text:
        raise DocumentError("it holds NUL bytes and so is no text; remove or rename it.")
    return unicodedata.normalize("NFC", unix_lines(text))


KINDS: Mapping[str, Callable[[Path], str]] = {
    ".md": _markdown,
    ".markdown": _markdown,
    ".txt": _markdown,
}
"""How each kind of file becomes Markdown; files of other kinds are left alone."""


class FilesSource:
    """Every document below ``[[sources]] path``; hidden files and folders are left alone.

    ``read`` raises SourceError when the folder, or a folder in it, cannot be listed, or when it
    holds no documents at all: an unmounted disk must not empty the index.
    """

    def __init__(self, table: FilesTable) -> None:
        self.name = table.name
        self._folder = table.path.expanduser()
        self._audience = Audience.parse(table.audience) if table.audience else None
        self._link = table.link

    def read(self) -> Iterator[Document | Unreadable]:
        if not self._folder.is_dir():
            problem = "is no folder" if self._folder.exists() else "does not exist"
            raise SourceError(
                f"Source {self.name}: {self._folder} {problem}; "
                "correct the path, or remove the source from the settings."
            )
        found = False
        for path in self._paths():
            found = True
            yield self._document(path)
        if not found:
            raise SourceError(
                f"Source {self.name}: {self._folder} holds no documents "
                f"({', '.join(KINDS)}); correct the path, or remove the source."
            )

    def _paths(self) -> Iterator[Path]:
        for folder, folders, files in os.walk(self._folder, onerror=self._unlistable):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            yield from (path for name in folders if self._leaves(path := Path(folder, name)))
            for name in sorted(files):
                if not name.startswith(".") and Path(name).suffix.lower() in KINDS:
                    yield Path(folder, name)

    def _unlistable(self, error: OSError) -> None:
        raise SourceError(
            f"Source {self.name}: {error.filename} cannot be listed ({error.strerror}); "
            "make it readable for this user."
        ) from error

    def _document(self, path: Path) -> Document | Unreadable:
        relative = path.relative_to(self._folder).as_posix()
        identifier = f"{self.name}:{os.fsencode(relative).decode('utf-8', 'replace')}"
        try:
            return self._read(path, PurePosixPath(relative), identifier)
        except OSError as error:
            reason = f"it cannot be opened ({error.strerror}); make it readable for this user."
        except DocumentError as error:
            reason = str(error)
        return Unreadable(identifier, f"{identifier.partition(':')[2]}: {reason}")

    def _read(self, path: Path, relative: PurePosixPath, identifier: str) -> Document:
        self._refuse_strangers(path, relative)
        matter, text = front_matter.split(KINDS[path.suffix.lower()](path))
        audience = matter.audience or self._audience
        if audience is None:
            raise DocumentError(
                "nobody may read it; add `audience: public` (or slack_channel:C…, group:…) "
                "to its front matter, or set the source's audience."
            )
        return Document(
            id=identifier,
            source=self.name,
            title=matter.title or first_heading(text) or relative.stem,
            text=text,
            audience=audience,
            url=matter.url or self._link.replace("{path}", quote(str(relative))),
            modified=matter.updated,
        )

    def _refuse_strangers(self, path: Path, relative: PurePosixPath) -> None:
        """Names that are no text, links that lead elsewhere, and what would block when opened."""
        try:
            str(relative).encode()
        except UnicodeEncodeError as error:
            raise DocumentError("its name is not UTF-8; rename it.") from error
        if self._leaves(path):
            raise DocumentError("it is a link that leaves the source's folder; copy it instead.")
        if path.exists() and not path.is_file():
            raise DocumentError("it is no regular file; remove or rename it.")

    def _leaves(self, path: Path) -> bool:
        return path.is_symlink() and not path.resolve().is_relative_to(self._folder.resolve())
