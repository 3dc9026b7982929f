"""Embedding throughput and fidelity beside sentence-transformers in fp32 on the same weights.

Run with ``make bench NAME=embedding`` where the ``bench`` extra is installed, else name an
interpreter that has it with ``--peer``. The last line is one JSON object: ``ratio`` is our chunks
a second over theirs; ``cosine`` and ``cosine_min`` compare our vectors with theirs.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from statistics import median

import numpy as np

from indexer.embedding.embedder_file import DEFAULT_EMBEDDER, published_model
from indexer.embedding.embedding import LlamaCppEmbedding
from indexer.settings import IndexSettings
from tests.benchmarks.generated import sentences
from tests.benchmarks.timing import in_turns

TOKENS = 200
INSTALL = """sentence-transformers is not installed for {peer}. Install it apart from Lorebot:
  python3.11 -m venv .bench
  .bench/bin/pip install --constraint constraints.txt sentence-transformers torch
  .venv/bin/python -m tests.benchmarks.embedding --peer .bench/bin/python
or beside it: .venv/bin/pip install --constraint constraints.txt --editable '.[bench]'"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", default=sys.executable, help="interpreter with the bench extra")
    parser.add_argument("--peer-threads", type=int, default=0, help="of torch; 0: its default")
    parser.add_argument("--chunks", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    installed = (
        "import importlib.util as u, sys; sys.exit(u.find_spec('sentence_transformers') is None)"
    )
    if subprocess.run([arguments.peer, "-c", installed], check=False).returncode:
        print(INSTALL.format(peer=arguments.peer), file=sys.stderr)
        sys.exit(2)
    embedding = LlamaCppEmbedding.find(DEFAULT_EMBEDDER, IndexSettings().cache_dir)
    with closing(embedding), tempfile.TemporaryDirectory() as scratch:
        texts = _chunks(embedding, arguments.chunks)
        with Peer(arguments.peer, arguments.peer_threads, texts, Path(scratch)) as peer:
            ours = embedding.embed(texts)
            peer.embed()
            seconds, _ = in_turns(
                arguments.rounds, lambda _: embedding.embed(texts), lambda _: peer.embed()
            )
            theirs = np.load(peer.vectors)
    cosines = np.vecdot(ours, theirs)
    ours_speed = len(texts) / median(seconds)
    peer_speed = len(texts) / median(peer.seconds[1:])
    result = {
        "ratio": round(ours_speed / peer_speed, 3),
        "cosine": round(float(cosines.mean()), 6),
        "cosine_min": round(float(cosines.min()), 6),
        "ours_chunks_per_second": round(ours_speed, 1),
        "peer_chunks_per_second": round(peer_speed, 1),
        "chunks": len(texts),
        "tokens_of_a_chunk": TOKENS,
    }
    print(json.dumps(result))


class Peer:
    """The child process; a context manager. ``seconds`` are its own figures, round by round."""

    def __init__(self, interpreter: str, threads: int, texts: list[str], scratch: Path) -> None:
        self.vectors = scratch / "vectors.npy"
        self.seconds: list[float] = []
        given = scratch / "texts.json"
        given.write_text(json.dumps(texts))
        program = Path(__file__).with_name("embedding_peer.py")
        self._process = subprocess.Popen(
            [interpreter, program, published_model(), given, self.vectors, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()

    def embed(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        self.seconds.append(float(self._answer()))

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *raised: object) -> None:
        self._process.communicate()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("sentence-transformers ended; its complaint is above.")
        return line.strip()


def _chunks(embedding: LlamaCppEmbedding, count: int) -> list[str]:
    """Handbook sentences in random order, cut to 200 tokens by the word."""
    chance = random.Random(3)
    pool = sentences()
    chunks = []
    for _ in range(count):
        words: list[str] = []
        while embedding.count_tokens(" ".join(words)) < TOKENS:
            words += chance.choice(pool).split()
        while embedding.count_tokens(" ".join(words)) > TOKENS:
            words.pop()
        chunks.append(" ".join(words))
    return chunks


if __name__ == "__main__":
    main()
