"""A judged answer beside plain RAG, beside ``Llama`` step by step, and beside LlamaIndex's critics.

Run with ``make bench NAME=judged_answer``. The model has half a billion random parameters in 4
bit (half_billion.py). A judged answer is a routing probe, six passages of 200
tokens judged at once, 150 tokens of answer, each of its four sentences judged while the answer
goes on, and a last judgement of the whole. Every round asks all contestants new questions, so
that nothing of a question is in anybody's cache.

The last line is one JSON object: ``ratio`` is the judged answer's median time over plain RAG's on
the same engine; ``ratio_llama`` over the same steps one after another on llama-cpp-python's
``Llama``, with its prefix cache and its documented way to a probability, ``logprobs``;
``ratio_llama_processor`` the same with a logits processor instead, which needs no ``logits_all``;
``ratio_llamaindex`` over LlamaIndex's own components, each of which writes a critique of
``--critique`` tokens; ``ratio_llamaindex_verdicts`` where those of the sentences are a bare YES or
NO, which is all that LlamaIndex's prompt for them asks for, and ``ratio_llamaindex_cited`` where
sentences are critiqued beside the cited passage alone.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from functools import partial
from statistics import median

from bot.answering.conversation import Conversation, wants_documents
from bot.domain import prompts
from bot.serving.llama_cpp.engine import LlamaEngine
from bot.serving.model import Sampling
from indexer.settings import IndexSettings
from tests.benchmarks import judged_answer_peers as peers
from tests.benchmarks.apart import Apart
from tests.benchmarks.half_billion import half_billion
from tests.benchmarks.questions import Case, Cases
from tests.benchmarks.timing import in_turns

PASSAGES, PASSAGE_TOKENS = 6, 200
ANSWER_TOKENS, SENTENCE_ENDS = 150, (37, 75, 112, 150)
CRITIQUE_TOKENS = 80  # the shortest published example of "detailed feedback" that we found
CONTEXT_TOKENS = 4096

Contestant = Callable[[Case], list[float]]
"""Answers one case; returns the probabilities of its probes before the answer."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--critique", type=int, default=CRITIQUE_TOKENS, help="its tokens")
    parser.add_argument("--ours", action="store_true", help="without Llama and LlamaIndex")
    arguments = parser.parse_args()
    path = half_billion(IndexSettings().cache_dir / "benchmarks")
    with ExitStack() as stack:
        engine = stack.enter_context(closing(LlamaEngine.load(path, context_tokens=CONTEXT_TOKENS)))
        cases = Cases(engine)
        contestants: dict[str, Contestant] = {
            "judged": partial(judged, engine),
            "plain": partial(plain, engine),
        }
        if not arguments.ours:
            make = partial(peers.load_all, path, CONTEXT_TOKENS, arguments.critique)
            others = stack.enter_context(Apart(make))
            contestants |= {name: partial(others.do, _by, name) for name in peers.NAMES}
        result = _warmed(contestants, _case(cases))
        seconds = _seconds(contestants, cases, arguments.rounds)
        result |= _ratios(seconds) | {
            f"{name}_computed_tokens": _computed(engine, contestants[name], _case(cases))
            for name in ("judged", "plain")
        }
    print(json.dumps(result | {"rounds": arguments.rounds, "critique": arguments.critique}))


def judged(engine: LlamaEngine, case: Case) -> list[float]:
    """As the product asks; the probabilities of the probes before the answer."""
    route = wants_documents(engine, case.question)
    conversation = Conversation(engine, case.question, case.passages, answer_tokens=ANSWER_TOKENS)
    relevance = conversation.relevance()
    answer = ""
    pieces = conversation.answer(range(1, PASSAGES + 1))
    for count, piece in enumerate(pieces, start=1):
        answer += piece
        if count in SENTENCE_ENDS:
            conversation.support(answer, [SENTENCE_ENDS.index(count) + 1])
    _check_length(answer)
    conversation.usefulness(answer)
    return [route, *relevance]


def plain(engine: LlamaEngine, case: Case) -> list[float]:
    """The same answer, and no question about it."""
    messages = prompts.answer_messages(case.question, case.passages)
    _check_length("".join(engine.stream(messages, Sampling(max_tokens=ANSWER_TOKENS))))
    return []


def _by(contestants: Mapping[str, peers.Peer], name: str, case: Case) -> list[float]:
    return contestants[name](case, answer_tokens=ANSWER_TOKENS, ends=SENTENCE_ENDS)


def _warmed(contestants: Mapping[str, Contestant], case: Case) -> dict[str, float]:
    """All answer one case once; how far our probabilities are from those of ``Llama``."""
    answered = {name: contestant(case) for name, contestant in contestants.items()}
    if "llama_processor" not in answered:
        return {}
    pairs = zip(answered["judged"], answered["llama_processor"], strict=True)
    return {"log_odds_apart": round(max(abs(_log_odds(a) - _log_odds(b)) for a, b in pairs), 3)}


def _seconds(contestants: Mapping[str, Contestant], cases: Cases, rounds: int) -> dict[str, float]:
    """The median of each."""
    asked = [{name: _case(cases) for name in contestants} for _ in range(rounds)]
    turns = [
        lambda number, name=name: contestants[name](asked[number][name]) for name in contestants
    ]
    taken = in_turns(rounds, *turns)
    return {name: median(each) for name, each in zip(contestants, taken, strict=True)}


def _ratios(seconds: Mapping[str, float]) -> dict[str, float]:
    ours = seconds["judged"]
    return {
        "ratio" if name == "plain" else f"ratio_{name}": round(ours / taken, 3)
        for name, taken in seconds.items()
        if name != "judged"
    } | {f"{name}_seconds": round(taken, 2) for name, taken in seconds.items()}


def _computed(engine: LlamaEngine, contestant: Contestant, case: Case) -> int:
    before = engine.statistics.computed_tokens
    contestant(case)
    return engine.statistics.computed_tokens - before


def _check_length(answer: str) -> None:
    """The random model writes a word a token."""
    if len(answer.split()) != ANSWER_TOKENS:
        raise SystemExit(f"The engine wrote {len(answer.split())} words, not {ANSWER_TOKENS}.")


def _case(cases: Cases) -> Case:
    return cases.case(PASSAGES, PASSAGE_TOKENS)


def _log_odds(probability: float) -> float:
    return math.log(probability / (1 - probability))


if __name__ == "__main__":
    main()
