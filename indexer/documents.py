"""The values that travel: Document → Chunk → Passage, and the Audience that guards them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from indexer.errors import AudienceError

Vectors = NDArray[np.float32]
"""Shape (n_texts, dimension), or (dimension,) of one text; rows of unit length (L2)."""

PUBLIC = "public"
_PRINCIPAL = re.compile(
    r"public|slack_user:[UW][A-Z0-9]+|slack_channel:[CDG][A-Z0-9]+|group:[A-Za-z0-9][\w.-]*"
)


@dataclass(frozen=True, slots=True)
class Audience:
    """A set of principals: a document's are who may read it, a question's what its reader holds.

    Principals are ``public``, ``slack_user:U…``, ``slack_channel:C…`` and ``group:…``, compared
    whole. An empty set or any other word is refused (AudienceError): unknown means nobody.
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
        if isinstance(value, Iterable):
            return cls(frozenset(value))
        raise AudienceError(f"An audience must be a word or a list of words, not {value!r}.")

    def admits(self, reader: Audience) -> bool:
        """Whether a document of this audience may be shown to that reader."""
        return not self.principals.isdisjoint(reader.principals)

    @property
    def is_of_one_person(self) -> bool:
        """Whether a reader with these principals is one person, not everybody in a channel."""
        return any(principal.startswith("slack_user:") for principal in self.principals)

    def sorted(self) -> tuple[str, ...]:
        return tuple(sorted(self.principals))


@dataclass(frozen=True, slots=True)
class Document:
    """One page of a source, as Markdown.

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
        """SHA-256 of what a reader sees; not of the audience, whose change embeds nothing."""
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
class Passage:
    """A chunk retrieved for one question, or up to three that stand side by side.

    ``score`` in 0..1 is the fused or the reranker's one, by which passages are ordered but for
    near-equal ones; ``similarity`` is the cosine of question and chunk; ``lexical`` is the share
    of 0..1 of the lexical leg's best score, 0 where that leg did not find it.
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
