"""Domain values: Document → Chunk → Passage, and the Audience that may read them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from indexer.errors import AudienceError

Vectors = NDArray[np.float32]
"""float32 array, shape (n_texts, dimension), or (dimension,) for one text; rows L2-normalised."""

PUBLIC = "public"
_PRINCIPAL = re.compile(
    r"public|slack_user:[UW][A-Z0-9]+|slack_channel:[CDG][A-Z0-9]+|group:[A-Za-z0-9][\w.-]*"
)


@dataclass(frozen=True, slots=True)
class Audience:
    """A set of principals: those who may read a document, or those that a reader belongs to.

    Principals are ``public``, ``slack_user:U…``, ``slack_channel:C…`` and ``group:…``, compared
    whole. Raises AudienceError for an empty set or any other word: access is denied by default.
    """

    principals: frozenset[str]

    def __post_init__(self) -> None:
        if not self.principals:
            raise AudienceError("An audience names nobody; write for instance `audience: public`.")
        for principal in self.principals:
            if not isinstance(principal, str) or not _PRINCIPAL.fullmatch(principal):
                raise AudienceError(
                    f"Unknown audience {principal!r}; use public, slack_channel:C…, "
                    "slack_user:U… or group:…"
                )

    @classmethod
    def of(cls, *principals: str) -> Audience:
        return cls(frozenset(principals))

    @classmethod
    def parse(cls, value: object) -> Audience:
        """From a setting or front matter: one word or a list of words."""
        if isinstance(value, str):
            return cls.of(value)
        if isinstance(value, Iterable) and not isinstance(value, Mapping | bytes):
            return cls(frozenset(value))
        raise AudienceError(f"An audience must be a word or a list of words, not {value!r}.")

    def admits(self, reader: Audience) -> bool:
        """Whether that reader may see a document of this audience: they share a principal."""
        return not self.principals.isdisjoint(reader.principals)

    def narrowed(self, other: Audience) -> Audience | None:
        """Those whom both admit, where that can be said in principals; ``public`` admits all.

        None where both name readers and none of them is named by both.
        """
        if PUBLIC in self.principals or PUBLIC in other.principals:
            return other if PUBLIC in self.principals else self
        common = self.principals & other.principals
        return Audience(common) if common else None

    @property
    def is_of_one_person(self) -> bool:
        """Whether a reader with these principals is one person, not everybody in a channel."""
        return any(principal.startswith("slack_user:") for principal in self.principals)

    def sorted(self) -> tuple[str, ...]:
        return tuple(sorted(self.principals))


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a source, as Markdown.

    ``id`` is unique over all sources and stable over edits; ``source`` is the name of the source
    in the settings; ``url`` is what a citation links to, empty where there is nothing to open.
    """

    id: str
    source: str
    title: str
    text: str
    audience: Audience
    url: str = ""
    modified: datetime | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of what is shown; without the audience, whose change needs no new embedding."""
        parts = (
            self.title,
            self.url,
            self.text,
            self.modified.isoformat() if self.modified else "",
        )
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a document small enough for the embedder; a LlamaIndex node.

    ``position`` counts the document's chunks from 0; ``headers`` is the path of headings above it,
    outermost first, without the title.
    """

    document_id: str
    position: int
    text: str
    headers: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return f"{self.document_id}#{self.position}"

    def context(self, title: str) -> str:
        """``title › header › header``: prepended before embedding, shown in citations."""
        return " › ".join(dict.fromkeys(part for part in (title, *self.headers) if part))


@dataclass(frozen=True, slots=True)
class CutDocument:
    """A document and its chunks, or the first of them: ``is_whole`` says which."""

    document: Document
    chunks: tuple[Chunk, ...]
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk retrieved for one question, or up to three adjacent ones merged.

    ``score`` in 0..1 is the fused or the reranker's score; passages are ordered by it, except for
    nearly equal ones. ``similarity`` is the cosine of question and chunk. ``lexical`` in 0..1 is
    the BM25 score divided by the best one found, 0 where the lexical leg did not find the chunk.
    """

    chunk: Chunk
    title: str
    audience: Audience
    score: float
    similarity: float
    lexical: float
    url: str = ""
    modified: datetime | None = field(default=None)

    @property
    def context(self) -> str:
        return self.chunk.context(self.title)
