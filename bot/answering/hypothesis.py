"""HyDE: search by what an answer might look like, where the question's own words find little.

Gao et al. 2022, "Precise Zero-Shot Dense Retrieval without Relevance Labels". It helps weak
embedders and harms look-ups of names, so it is tried only on questions without any, and only
the dense leg of the search sees it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bot.answering.words import acronyms, codes, quotes
from bot.domain import prompts
from bot.serving.model import Cancellation, LanguageModel, Sampling
from indexer.documents import Vectors

Embed = Callable[[Sequence[str]], Vectors]

_HYPOTHESIS_TOKENS = 96


def may_help(text: str) -> bool:
    """Not where a code, an acronym or quoted words say exactly what is looked for."""
    return not (codes(text) or acronyms(text) or quotes(text))


def hypothetical_vector(
    text: str, model: LanguageModel, embed: Embed, cancellation: Cancellation | None = None
) -> Vectors:
    """The mean of the question and one hypothetical answer, of unit length. Raises ModelError."""
    sampling = Sampling(max_tokens=_HYPOTHESIS_TOKENS)
    hypothesis = "".join(model.stream(prompts.hypothesis_messages(text), sampling, cancellation))
    question, answer = embed([text, hypothesis])
    mean: Vectors = question + answer
    return mean / float((mean @ mean) ** 0.5)
