"""The other sides of the judged answer: llama-cpp-python's ``Llama``, and LlamaIndex over it.

Both get all cores and flash attention; ``Llama`` keeps the last prompt and computes only what
differs from it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from llama_cpp import Llama, LogitsProcessorList
from llama_index.core import get_response_synthesizer
from llama_index.core.base.llms.types import (
    CompletionResponse,
    CompletionResponseGen,
    LLMMetadata,
)
from llama_index.core.evaluation import (
    AnswerRelevancyEvaluator,
    ContextRelevancyEvaluator,
    FaithfulnessEvaluator,
)
from llama_index.core.llms.custom import CustomLLM
from llama_index.core.output_parsers.base import StructuredOutput
from llama_index.core.output_parsers.selection import Answer, SelectionOutputParser
from llama_index.core.schema import NodeWithScore
from llama_index.core.selectors import LLMSingleSelector
from llama_index.core.tools import ToolMetadata
from numpy.typing import NDArray
from pydantic import PrivateAttr

from bot.domain import prompts
from bot.domain.values import Message
from bot.serving.llama_cpp.engine import LlamaEngine
from indexer.retrieval.nodes import text_node_of
from tests.benchmarks.questions import Case

Tokenize = Callable[[Sequence[Message]], list[int]]
Scores = NDArray[np.float32]


class Peer(Protocol):
    """Goes all steps of one judged answer; the probabilities of the probes before the answer."""

    def __call__(self, case: Case, answer_tokens: int, ends: Sequence[int]) -> list[float]: ...


def load(path: Path, context_tokens: int, *, logits_all: bool = False) -> Llama:
    """``Llama`` at its fastest; ``logits_all`` is what its ``logprobs`` demands."""
    cores = os.cpu_count()
    return Llama(
        str(path),
        n_ctx=context_tokens,
        n_threads=cores,
        n_threads_batch=cores,
        flash_attn=True,
        logits_all=logits_all,
        verbose=False,
    )


VERDICT = 2  # tokens of YES or NO
NAMES = ("llama", "llama_processor", "llamaindex", "llamaindex_verdicts", "llamaindex_cited")


def load_all(path: Path, context_tokens: int, critique_tokens: int) -> dict[str, Peer]:
    """Each has a ``Llama`` of its own, whose last prompt is its own."""
    renders = LlamaEngine.load(path, context_tokens=context_tokens)  # computes nothing
    loaded = partial(load, path, context_tokens)
    critics = partial(Critiques, context_tokens=context_tokens)
    written, verdicts = Written(critique_tokens), Written(critique_tokens, sentence=VERDICT)
    contestants: tuple[Peer, ...] = (
        OneAfterAnotherByLogprobs(loaded(logits_all=True), renders.tokens),
        OneAfterAnother(loaded(), renders.tokens),
        critics(loaded(), written=written),
        critics(loaded(), written=verdicts),
        critics(loaded(), written=written, cited_only=True),
    )
    return dict(zip(NAMES, contestants, strict=True))


class OneAfterAnother:
    """The steps of a judged answer as single completions, from the very tokens that we compute.

    Probabilities are looked up by a logits processor, which is the fast way.
    """

    def __init__(self, llama: Llama, tokens: Tokenize) -> None:
        """``tokens`` renders messages."""
        self._llama = llama
        self._tokens = tokens
        self._options = [
            llama.tokenize(word.encode(), add_bos=False)[0] for word in (prompts.YES, prompts.NO)
        ]

    def __call__(self, case: Case, answer_tokens: int, ends: Sequence[int]) -> list[float]:
        """The probabilities of the probes before the answer."""
        with_passages = prompts.with_passages(case.question, case.passages)
        numbers = range(1, len(case.passages) + 1)
        before = [
            self._probe(prompts.opening(case.question), prompts.ROUTE),
            *(self._probe(with_passages, prompts.relevant(number)) for number in numbers),
        ]
        asked = prompts.answer_messages(case.question, case.passages)
        words = self._words(asked, answer_tokens)
        for number, end in enumerate(ends, start=1):
            so_far = Message("assistant", "".join(words[:end]))
            self._probe([*asked, so_far], prompts.supported([number]))
        self._probe([*asked, Message("assistant", "".join(words))], prompts.USEFUL)
        return before

    def _words(self, messages: Sequence[Message], count: int) -> list[str]:
        """One word a token, as the random model writes."""
        made = self._llama.create_completion(
            self._tokens(messages), max_tokens=count, temperature=0.0
        )
        words = [f" {word}" for word in made["choices"][0]["text"].split()]
        if len(words) != count:
            raise SystemExit(f"Llama wrote {len(words)} words instead of {count}.")
        return words

    def _probe(self, messages: Sequence[Message], probe: str) -> float:
        """The scores of Yes and No before anything is drawn: the fast way to a probability."""
        tokens = self._tokens([*messages, Message("user", probe)])
        seen: list[float] = []

        def look(_: object, scores: Scores) -> Scores:
            seen.extend(scores[self._options])
            return scores

        self._llama.create_completion(
            tokens, max_tokens=1, temperature=0.0, logits_processor=LogitsProcessorList([look])
        )
        yes, no = seen
        return 1 / (1 + math.exp(no - yes))


class OneAfterAnotherByLogprobs(OneAfterAnother):
    """The same by the documented way to a probability, for which all logits are computed."""

    def _probe(self, messages: Sequence[Message], probe: str) -> float:
        """Of the word drawn: random weights do not draw Yes or No."""
        tokens = self._tokens([*messages, Message("user", probe)])
        made = self._llama.create_completion(tokens, max_tokens=1, temperature=0.0, logprobs=2)
        return math.exp(made["choices"][0]["logprobs"]["token_logprobs"][0])


@dataclass(frozen=True, slots=True)
class Written:
    """How many tokens LlamaIndex's prompts get for an answer; random weights never end early.

    ``critique`` is for a passage and for the whole answer, ``sentence`` for a sentence, the same
    if None.
    """

    critique: int
    sentence: int | None = None
    selection: int = 40
    """JSON with a choice and its reason."""


class Critiques:
    """The same steps asked of LlamaIndex's own components, each with the prompt it writes itself.

    A router's selection, a critique of each passage, the answer, a critique of each sentence
    beside all passages, as ``evaluate_response`` has it, and one of the whole answer.
    ``cited_only`` spares it all passages but the one that a sentence cites.
    """

    def __init__(
        self, llama: Llama, context_tokens: int, written: Written, *, cited_only: bool = False
    ) -> None:
        self._llama = llama
        self._cited_only = cited_only
        self._context_tokens = context_tokens
        writes = partial(OverLlama, llama, context_tokens)
        self._selector = LLMSingleSelector.from_defaults(
            writes(written.selection), output_parser=_AnythingIsAChoice()
        )
        self._relevancy = ContextRelevancyEvaluator(llm=writes(written.critique))
        self._faithfulness = FaithfulnessEvaluator(llm=writes(written.sentence or written.critique))
        self._usefulness = AnswerRelevancyEvaluator(llm=writes(written.critique))

    def __call__(self, case: Case, answer_tokens: int, ends: Sequence[int]) -> list[float]:
        """Nothing that could be compared."""
        question = case.question.text
        self._selector.select(_CHOICES, question)
        texts = [passage.chunk.text for passage in case.passages]
        for text in texts:
            self._relevancy.evaluate(query=question, contexts=[text])
        writer = OverLlama(self._llama, self._context_tokens, answer_tokens)
        nodes = [NodeWithScore(node=text_node_of(passage), score=1.0) for passage in case.passages]
        answer = str(get_response_synthesizer(llm=writer).synthesize(question, nodes))
        words = answer.split()
        for number, (start, end) in enumerate(pairwise((0, *ends))):
            beside = [texts[number]] if self._cited_only else texts
            self._faithfulness.evaluate(response=" ".join(words[start:end]), contexts=beside)
        self._usefulness.evaluate(query=question, response=answer)
        return []


class OverLlama(CustomLLM):
    """The least that LlamaIndex needs to use a ``Llama``."""

    _llama: Llama = PrivateAttr()
    _context_tokens: int = PrivateAttr()
    _max_tokens: int = PrivateAttr()

    def __init__(self, llama: Llama, context_tokens: int, max_tokens: int) -> None:
        super().__init__()
        self._llama = llama
        self._context_tokens = context_tokens
        self._max_tokens = max_tokens

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(context_window=self._context_tokens, num_output=self._max_tokens)

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        made = self._llama.create_completion(prompt, max_tokens=self._max_tokens, temperature=0.0)
        return CompletionResponse(text=made["choices"][0]["text"])

    def stream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponseGen:
        yield self.complete(prompt, formatted, **kwargs)


class _AnythingIsAChoice(SelectionOutputParser):
    """Random weights write no JSON; their time is what counts."""

    def parse(self, output: str) -> StructuredOutput:
        return StructuredOutput(raw_output=output, parsed_output=[Answer(choice=1, reason="")])


_CHOICES = [
    ToolMetadata(name="documents", description="The team's documents must be read to reply."),
    ToolMetadata(name="small_talk", description="The reply needs no documents."),
]
