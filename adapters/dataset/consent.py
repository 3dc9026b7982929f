"""What may be learned from: public text, and text of which all readers have opted in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from bot.records.feedback import Judged
from indexer.documents import PUBLIC, Audience, Passage
from indexer.stores.base import IndexedDocument


class Consent:
    """Decides by the audiences that documents have now, not by those they had when shown."""

    def __init__(self, documents: Mapping[str, IndexedDocument], opted_in: Sequence[str]) -> None:
        """``documents`` are those indexed now; ``opted_in`` are principals, as in the settings."""
        self._documents = documents
        self._opted_in = frozenset((PUBLIC, *opted_in))

    def opens(self, judged: Judged) -> bool:
        """Whether what people ask and say in that place may be learned."""
        asked = judged.answer.question
        if judged.is_direct:
            return f"slack_user:{asked.asker}" in self._opted_in
        return f"slack_channel:{asked.channel}" in self._opted_in

    def readable(self, passages: Iterable[Passage], reader: Audience) -> Iterator[Passage]:
        """Those whose document is still there for this reader, with its audience of now."""
        for passage in passages:
            document = self._documents.get(passage.chunk.document_id)
            if document and document.audience.admits(reader):
                yield replace(passage, audience=document.audience)

    def may_be_learned(self, passage: Passage) -> bool:
        """Whether it is public, or all who may read it have opted in."""
        principals = passage.audience.principals
        return PUBLIC in principals or principals <= self._opted_in
