"""Run a LlamaHub reader as a source: Notion, Confluence, Google Drive and some hundred others."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from typing import Any

from llama_index.core.schema import Document as LlamaDocument

from indexer.chunking.markdown import first_heading, unix_lines
from indexer.documents import Audience, Document
from indexer.errors import SourceError
from indexer.named_class import named, plain, to_install, told
from indexer.settings import LlamaHubSource
from indexer.sources.base import Unreadable

_OWN_ID = "doc_id"
"""As ``id_field``: the id that the reader itself gives to a document."""


class LlamaHubReader:
    """The documents of one reader, whose class the settings name; it runs in this process.

    ``read`` raises SourceError when the reader cannot be imported, made or run, and when what it
    loads has no lasting ids or is nothing at all.
    """

    def __init__(self, table: LlamaHubSource) -> None:
        self.name = table.name
        self._table = table
        self._audience = Audience.parse(table.audience)

    def read(self) -> Iterator[Document | Unreadable]:
        found = False
        for loaded in self._load():
            found = True
            yield self._document(loaded)
        if not found:
            raise self._failure("loads nothing", "correct its arguments, or remove the source")

    def _load(self) -> Iterator[LlamaDocument]:
        reader = self._reader()
        try:
            loaded: Iterable[object] = reader(**plain(self._table.arguments)).load_data(
                **plain(self._table.load)
            )
            for each in loaded:
                if not isinstance(each, LlamaDocument):
                    raise TypeError(f"load_data gives {type(each).__name__}, not Document")
                yield each
        except Exception as error:
            said = told(error, self._table.arguments, self._table.load)
            raise self._failure(
                f"fails ({said})", "correct the source's arguments and load, or try again later"
            ) from error

    def _reader(self) -> Any:
        try:
            found = named(self._table.reader)
        except ImportError as error:
            advice = to_install(self._table.reader)
            raise self._failure(f"cannot be imported ({error})", advice) from error
        except AttributeError as error:
            raise self._failure("is not in its module", "correct the name after the :") from error
        # Before it is called: making an object of what is no reader may do anything.
        if not isinstance(found, type) or not callable(getattr(found, "load_data", None)):
            raise self._failure("is no reader: it has no load_data", "name a reader's class")
        return found

    def _document(self, loaded: LlamaDocument) -> Document:
        text = unix_lines(loaded.text)
        title = " ".join(str(loaded.metadata.get(self._table.title_field) or "").split())
        identifier = self._identifier(loaded)
        return Document(
            id=f"{self.name}:{identifier}",
            source=self.name,
            title=title or first_heading(text) or identifier,
            text=text,
            audience=self._audience,
            url=str(loaded.metadata.get(self._table.url_field) or ""),
        )

    def _identifier(self, loaded: LlamaDocument) -> str:
        """Raises SourceError for a random id: every sync would delete and embed everything."""
        field = self._table.id_field
        if field in loaded.metadata:
            return str(loaded.metadata[field])
        known = ", ".join(sorted(loaded.metadata)) or "none"
        if field and field != _OWN_ID:
            raise self._failure(
                f"gives a document without the metadata field {field}",
                f"set id_field to one of those it gives: {known}",
            )
        own = loaded.doc_id
        if not field and _is_random(own) and own not in map(str, loaded.metadata.values()):
            raise self._failure(
                "gives ids that look random",
                f"set id_field to a metadata field that names a document for good ({known}), "
                f'or to "{_OWN_ID}" if these ids last',
            )
        return own

    def _failure(self, problem: str, advice: str) -> SourceError:
        return SourceError(f"Source {self.name}: {self._table.reader} {problem}; {advice}.")


def _is_random(identifier: str) -> bool:
    try:
        return uuid.UUID(identifier).version == 4
    except ValueError:
        return False
