"""What judging a passage does with all passages in sight, beside judging it alone.

Run with ``make bench NAME=judging_in_sight ARGS="--model FILE.gguf"``. The sample handbook's
questions are searched for, and each passage found is judged twice: as the product does it, all
passages before the model and asked about by their numbers, and alone, as number 1 of 1. Relevant
are the passages of the page that answers. Without ``--model`` the weights are random: then the
areas under the curve say nothing, and only how far the two judgements lie apart is of interest.

The last line is one JSON object: ``auc_in_sight`` and ``auc_alone`` (area under the ROC curve),
``correlation`` of the log-odds, ``apart`` (their mean distance), ``place`` (correlation of the
log-odds in sight with the passage's number) and ``seconds_in_sight`` over ``seconds_alone``.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bot.answering.conversation import Conversation
from bot.bootstrap.demo import demo_settings
from bot.bootstrap.wiring import open_synced_index
from bot.domain.settings import Settings
from bot.domain.values import Question
from bot.serving.llama_cpp.engine import LlamaEngine
from bot.serving.model import LanguageModel
from indexer.documents import Audience, Passage
from tests.benchmarks.half_billion import half_billion

QUESTIONS = Path(__file__).parents[1] / "data" / "handbook_questions.json"
READER = Audience.of("public", "slack_channel:C0LEADS")

Numbers = NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--questions", type=int, default=60)
    arguments = parser.parse_args()
    asked = [case for case in json.loads(QUESTIONS.read_text()) if case["page"]]
    rows: list[tuple[float, float, int, bool]] = []
    in_sight = alone = 0.0
    with tempfile.TemporaryDirectory() as folder:
        settings = demo_settings(Settings(data_dir=Path(folder)))
        path = arguments.model or half_billion(settings.cache_dir / "benchmarks")
        with (
            open_synced_index(settings) as (index, _),
            closing(LlamaEngine.load(path)) as engine,
        ):
            for number, case in enumerate(asked[: arguments.questions]):
                question = Question(str(number), case["question"], READER)
                passages = index.retriever(READER).passages(question.text)
                start = time.perf_counter()
                together = _log_odds(engine, question, passages)
                middle = time.perf_counter()
                apart = [_log_odds(engine, question, [passage])[0] for passage in passages]
                in_sight += middle - start
                alone += time.perf_counter() - middle
                rows += [
                    (one, other, place, passage.chunk.document_id.endswith(case["page"]))
                    for place, (one, other, passage) in enumerate(
                        zip(together, apart, passages, strict=True), start=1
                    )
                ]
    one, other, place, relevant = (np.array(column, float) for column in zip(*rows, strict=True))
    print(
        json.dumps(
            {
                "passages": len(rows),
                "relevant": int(relevant.sum()),
                "auc_in_sight": _auc(one, relevant > 0),
                "auc_alone": _auc(other, relevant > 0),
                "correlation": _rounded(np.corrcoef(one, other)[0, 1]),
                "apart": _rounded(np.abs(one - other).mean()),
                "spread_in_sight": _rounded(one.std()),
                "spread_alone": _rounded(other.std()),
                "place": _rounded(np.corrcoef(one, place)[0, 1]),
                "seconds_in_sight": _rounded(in_sight),
                "seconds_alone": _rounded(alone),
            }
        )
    )


def _log_odds(model: LanguageModel, question: Question, passages: list[Passage]) -> list[float]:
    conversation = Conversation(model, question, passages, answer_tokens=300)
    return [math.log(yes / (1 - yes)) for yes in conversation.relevance()]


def _auc(scores: Numbers, relevant: NDArray[np.bool_]) -> float:
    """The share of pairs in which the relevant passage has the higher score; ties count half."""
    above = scores[relevant][:, None] - scores[~relevant][None, :]
    return _rounded((above > 0).mean() + (above == 0).mean() / 2)


def _rounded(value: float) -> float:
    return round(float(value), 3)


if __name__ == "__main__":
    main()
