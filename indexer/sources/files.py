"""Read documents from a folder, for instance a git checkout."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from indexer import front_matter
from indexer.chunking.markdown import first_heading, unix_lines
from indexer.documents import Audience, Document
from indexer.errors import DocumentError, SourceError
from indexer.extraction import KINDS
from indexer.formats.plain import decode
from indexer.front_matter import FrontMatter
from indexer.settings import ExtractionTable
from indexer.settings import FilesSource as FilesTable
from indexer.sources.base import Unreadable
from indexer.sources.cache import CachedExtractor, SourceCache

_TEXTS = (".md", ".markdown", ".txt")
"""Suffixes of files that are Markdown as they are, and may begin with front matter."""
_WITH_A_READABLE_TOP = (".html", ".htm", ".xhtml", ".rst", ".ipynb", ".csv")
"""Suffixes of files that are text, too, and whose front matter is not read but may be there."""
_TOP_BYTES = 16_384
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_WILD = re.compile(r"\*\*/|\*\*|\*|\?")
_MEANS = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


class FilesSource:
    """Every document below ``[[sources]] path``; hidden files and folders are skipped.

    What is extracted from files other than text is kept in ``cache_path``, if one is given, until
    they change; see ``CachedExtractor``. ``read`` raises SourceError when the folder, or a folder
    in it, cannot be listed, or when it holds no documents at all: an unmounted disk must not
    empty the index.
    """

    def __init__(
        self,
        table: FilesTable,
        limits: ExtractionTable | None = None,
        cache_path: Path | None = None,
    ) -> None:
        self.name = table.name
        self._limits = limits or ExtractionTable()
        self._cache_path = cache_path
        self._folder = table.path.expanduser()
        self._audience = Audience.parse(table.audience) if table.audience else None
        self._audiences = {
            pattern: Audience.parse(principals) for pattern, principals in table.audiences.items()
        }
        self._link = table.link

    def read(self) -> Iterator[Document | Unreadable]:
        if not self._folder.is_dir():
            problem = "is no folder" if self._folder.exists() else "does not exist"
            raise SourceError(
                f"Source {self.name}: {self._folder} {problem}; "
                "correct the path, or remove the source from the settings."
            )
        found: list[str] = []
        with (
            SourceCache(self._cache_path) as cache,
            CachedExtractor(self._limits, cache) as extractor,
        ):
            for path in self._paths():
                found.append(path.relative_to(self._folder).as_posix())
                yield self._document(path, extractor)
            cache.remove_all_but(extractor.used_keys)
        if not found:
            raise SourceError(
                f"Source {self.name}: {self._folder} holds no documents "
                f"({', '.join(KINDS)}); correct the path, or remove the source."
            )
        yield from self._unmatched_patterns(found)

    def _paths(self) -> Iterator[Path]:
        for folder, folders, files in os.walk(self._folder, onerror=self._unlistable):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            yield from (path for name in folders if self._leaves(path := Path(folder, name)))
            for name in sorted(files):
                known = Path(name).suffix.lower() in KINDS
                if known and not name.startswith((".", "~$")):
                    yield Path(folder, name)

    def _unlistable(self, error: OSError) -> None:
        raise SourceError(
            f"Source {self.name}: {error.filename} cannot be listed ({error.strerror}); "
            "make it readable for this user."
        ) from error

    def _unmatched_patterns(self, found: Iterable[str]) -> Iterator[Unreadable]:
        """Reported because a misspelt pattern leaves its folder to the audience of all others."""
        for pattern in self._audiences:
            if not any(matches(path, pattern) for path in found):
                yield Unreadable(
                    f"{self.name}:audiences {pattern}",
                    f'audiences "{pattern}": no file matches; correct or remove the line '
                    f'(a folder with all in it is written "folder/**").',
                )

    def _document(self, path: Path, extractor: CachedExtractor) -> Document | Unreadable:
        relative = path.relative_to(self._folder).as_posix()
        identifier = f"{self.name}:{os.fsencode(relative).decode('utf-8', 'replace')}"
        try:
            return self._read(path, PurePosixPath(relative), identifier, extractor)
        except OSError as error:
            reason = f"it cannot be opened ({error.strerror}); make it readable for this user."
        except DocumentError as error:
            reason = str(error)
        return Unreadable(identifier, f"{identifier.partition(':')[2]}: {reason}")

    def _read(
        self, path: Path, relative: PurePosixPath, identifier: str, extractor: CachedExtractor
    ) -> Document:
        self._refuse_unsafe(path, relative)
        place = self._place_audience(path, relative)
        matter, title, text = FrontMatter(), "", ""
        if path.suffix.lower() in _TEXTS:
            matter, text = front_matter.split(self._text(path))
            title = first_heading(text)
        else:
            if path.suffix.lower() in _WITH_A_READABLE_TOP:
                front_matter.refuse_hidden_readers(self._top(path))
            extracted = extractor.extract_file(path, str(relative))
            title, text = extracted.title, extracted.text
        audience = _readers(place, matter.audience)
        if audience is None:
            raise DocumentError(
                "nobody may read it; add `audience: public` (or slack_channel:C…, group:…) "
                "to its front matter, or set the source's audience."
            )
        return Document(
            id=identifier,
            source=self.name,
            title=matter.title or title or relative.stem,
            text=text,
            audience=audience,
            url=matter.url or self._link.replace("{path}", quote(str(relative))),
            modified=matter.updated,
        )

    def _text(self, path: Path) -> str:
        most = self._limits.text_megabytes
        if path.stat().st_size > most * 2**20:
            raise DocumentError(
                f"it is larger than {most} MiB; split it (or raise [extraction] text_megabytes)."
            )
        return unicodedata.normalize("NFC", unix_lines(decode(path.read_bytes())))

    def _top(self, path: Path) -> str:
        """What a file of text begins with, whatever its encoding: for the words of its readers."""
        with path.open("rb") as file:
            beginning = file.read(_TOP_BYTES)
        encoding = "utf-16" if beginning.startswith(_UTF_16) else "utf-8"
        return unix_lines(beginning.decode(encoding, "replace"))

    def _place_audience(self, path: Path, relative: PurePosixPath) -> Audience | None:
        """Of the file's folder and, where it is a link, of its target's, too: whom both admit."""
        own = self._folder_audience(str(relative))
        if not path.is_symlink():
            return own
        target = PurePosixPath(path.resolve().relative_to(self._folder.resolve()).as_posix())
        if any(part.startswith(".") for part in target.parts):
            raise DocumentError("it is a link to a hidden file; copy it instead.")
        theirs = self._folder_audience(str(target))
        if own is None or theirs is None:
            return own or theirs
        both = own.narrowed(theirs)
        if both is None:
            raise DocumentError(
                f"it is a link, for {_named(own)}, to a file for {_named(theirs)}: copy it instead."
            )
        return both

    def _folder_audience(self, relative: str) -> Audience | None:
        fitting = (one for pattern, one in self._audiences.items() if matches(relative, pattern))
        return next(fitting, self._audience)

    def _refuse_unsafe(self, path: Path, relative: PurePosixPath) -> None:
        """Raises DocumentError for names not in UTF-8, links out of the folder, and devices."""
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


def _readers(place: Audience | None, own: Audience | None) -> Audience | None:
    """The narrowest of what a file's place and its front matter say.

    A page can narrow the readers of its folder, and name other ones than those; it cannot make
    public what its folder keeps.
    """
    if place is None or own is None:
        return own or place
    return place.narrowed(own) or own


def _named(audience: Audience) -> str:
    return " and ".join(audience.sorted())


def matches(path: str, pattern: str) -> bool:
    """Whether a relative path fits a pattern such as ``leadership/**``.

    ``*`` and ``?`` match within one name, ``**`` across folders.
    """
    return _expression(pattern).fullmatch(path) is not None


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    expression, last = "", 0
    for wild in _WILD.finditer(pattern):
        expression += re.escape(pattern[last : wild.start()]) + _MEANS[wild.group()]
        last = wild.end()
    return re.compile(expression + re.escape(pattern[last:]), re.DOTALL)
