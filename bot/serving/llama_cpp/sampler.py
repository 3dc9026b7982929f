"""Which token comes next: llama.cpp's sampler chain, held to a JSON schema where one is given."""

from __future__ import annotations

import ctypes
import math
import weakref
from typing import Any

import numpy as np

from bot.domain.errors import ModelError
from bot.serving.llama_cpp.libllama import UNUSABLE, library
from bot.serving.model import Sampling

_TOKEN_DATA = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])


def grammar_rules(json_schema: str) -> str:
    """The schema in llama.cpp's grammar notation. Raises ModelError when it is none."""
    from llama_cpp.llama_grammar import json_schema_to_gbnf

    try:
        rules: str = json_schema_to_gbnf(json_schema)
    except Exception as error:
        raise ModelError(
            f"The JSON schema cannot be followed ({type(error).__name__}: {error}): correct it."
        ) from error
    return rules


class Grammar:
    """The rules as a state machine over tokens; one for each generation."""

    def __init__(self, vocabulary: object, rules: str) -> None:
        """Raises ModelError when llama.cpp refuses the rules."""
        self.size = int(library().llama_vocab_n_tokens(vocabulary))
        self.handle = library().llama_sampler_init_grammar(vocabulary, rules.encode(), b"root")
        if not self.handle:
            raise ModelError("The JSON schema is too complex or endless: simplify it.")
        _free_with(self, self.handle)


class Sampler:
    """Draws the tokens of one generation."""

    def __init__(
        self, context: object, vocabulary_size: int, sampling: Sampling, grammar: Grammar | None
    ) -> None:
        functions = library()
        self._context = context
        self._vocabulary_size = vocabulary_size
        self._greedy = sampling.temperature <= 0
        self._grammar = grammar
        self._chain = functions.llama_sampler_chain_init(
            functions.llama_sampler_chain_default_params()
        )
        if self._greedy:
            stages = [functions.llama_sampler_init_greedy()]
        else:
            stages = [
                functions.llama_sampler_init_top_p(sampling.top_p, 1),
                functions.llama_sampler_init_min_p(sampling.min_p, 1),
                functions.llama_sampler_init_temp(sampling.temperature),
                # the largest value would mean a seed from the clock
                functions.llama_sampler_init_dist(sampling.seed % functions.LLAMA_DEFAULT_SEED),
            ]
        for stage in stages:
            functions.llama_sampler_chain_add(self._chain, stage)
        _free_with(self, self._chain)

    def sample(self, row: int) -> int:
        """The next token after this row of the last batch.

        Raises ModelError when the scores are no numbers or the schema cannot be continued.
        """
        scores = library().llama_get_logits_ith(self._context, row)
        if not math.isfinite(scores[0]):  # then all are, and sorting them is undefined
            raise ModelError(UNUSABLE)
        if self._grammar is None and self._greedy:
            # the chain would copy all the vocabulary first, which takes ten times as long
            return int(np.ctypeslib.as_array(scores, (self._vocabulary_size,)).argmax())
        if self._grammar is None:
            return int(library().llama_sampler_sample(self._chain, self._context, row))
        return self._sample_within(self._grammar, scores)

    def _sample_within(self, grammar: Grammar, scores: Any) -> int:
        """As llama_sampler_sample, which ends the process where the grammar allows no token."""
        functions = library()
        data = np.empty(grammar.size, _TOKEN_DATA)
        data["id"] = np.arange(grammar.size)
        data["logit"] = np.ctypeslib.as_array(scores, (grammar.size,))
        candidates = functions.llama_token_data_array(
            data.ctypes.data_as(ctypes.POINTER(functions.llama_token_data)), len(data), -1, False
        )
        functions.llama_sampler_apply(grammar.handle, ctypes.byref(candidates))
        if not np.isfinite(data["logit"]).any():
            raise ModelError(
                "The model's vocabulary cannot continue the JSON document: change the schema."
            )
        functions.llama_sampler_apply(self._chain, ctypes.byref(candidates))
        token = int(candidates.data[candidates.selected].id)
        functions.llama_sampler_accept(grammar.handle, token)
        functions.llama_sampler_accept(self._chain, token)
        return token


def _free_with(owner: object, handle: object) -> None:
    finalizer = weakref.finalize(owner, library().llama_sampler_free, handle)
    finalizer.atexit = False  # the owner thread may still draw when the interpreter goes away
