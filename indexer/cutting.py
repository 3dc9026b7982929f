"""The process that reads attachments: as ``indexer.formats.worker``, and cuts them into chunks.

``python -m indexer.cutting SECONDS MEMORY_BYTES EMBEDDER MOST_TOKENS MOST_CHUNKS``. To a request
belongs the document's ``id`` and ``title``; the answer is ``{"chunks": [[headers, text], …],
"whole": …}`` or ``{"refusal": …}``. Text beyond what so many chunks can hold is cut off before
anything parses it. Without an EMBEDDER tokens are estimated.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from indexer.chunking.chunking import Chunker
from indexer.chunking.markdown import unix_lines
from indexer.documents import Audience, Document
from indexer.formats.plain import beginning
from indexer.formats.worker import Request, extract, serve

_CHARACTERS_PER_TOKEN = 5
_TEXTS = ("plain", "restructured", "separated")
_NOT_KEPT = Audience.of("public")
"""Documents have an audience; only the chunks of these leave the process."""


def main() -> None:
    embedder, most_tokens, most_chunks = sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
    count = _counter(embedder)
    serve(lambda request, content: _cut(request, content, Chunker(count, most_tokens), most_chunks))


def _cut(request: Request, content: bytes, chunker: Chunker, most: int) -> Request:
    most = min(most, request["most"])
    characters = most * chunker.max_tokens * _CHARACTERS_PER_TOKEN
    part = content
    if request["module"] in _TEXTS:
        part = beginning(content, characters)
    text = _clean(extract(request["module"], part).text)
    document = Document(request["id"], "attachment", request["title"], text[:characters], _NOT_KEPT)
    chunks = list(islice(chunker.each(document), most + 1))
    whole = part is content and len(text) <= characters and len(chunks) <= most
    return {"chunks": [[one.headers, one.text] for one in chunks[:most]], "whole": whole}


def _clean(text: str) -> str:
    return unicodedata.normalize("NFC", unix_lines(text)).replace("\0", "").strip("\n")


def _counter(embedder: str) -> Callable[[str], int]:
    if not embedder:
        return lambda text: len(text) // 3 + 1
    from indexer.embedding.pooling import Vocabulary

    vocabulary = Vocabulary(Path(embedder))
    return lambda text: len(vocabulary.tokenize(text, special=False))


if __name__ == "__main__":
    main()
