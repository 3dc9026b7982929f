"""The other side of the embedding benchmark: sentence-transformers, fp32, on torch's CPU threads.

Runs in a process and, if need be, an interpreter of its own: serving and torch never share one.
Arguments: the model's folder, a JSON list of texts, where to write the vectors, and the number of
threads (0: torch's default). Each line that it reads embeds all texts once and answers with the
seconds that took.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import SentenceTransformer


def main() -> None:
    folder, texts_path, vectors_path, threads = sys.argv[1:]
    if int(threads):
        torch.set_num_threads(int(threads))
    texts = json.loads(Path(texts_path).read_text())
    model = SentenceTransformer(
        folder, device="cpu", local_files_only=True, model_kwargs={"dtype": torch.float32}
    )
    print("ready", flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        vectors = model.encode(texts, normalize_embeddings=True, show_progress_bar=False)
        seconds = time.perf_counter() - start
        np.save(vectors_path, vectors)
        print(seconds, flush=True)


if __name__ == "__main__":
    main()
