"""HyDE: search by what an answer might look like, where the question's own words find little.

Gao et al. 2022, "Precise Zero-Shot Dense Retrieval without Relevance Labels". The paper averages
the question with eight sampled documents; here it is one, the likeliest, because each costs a
local model seconds. It helps weak embedders and harms look-ups of names, so it is tried only on
questions without any, and only the dense leg of the search sees it.
"""

from __future__ import annotations

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.indices.query.query_transform import HyDEQueryTransform
from llama_index.core.prompts import ChatPromptTemplate
from llama_index.core.schema import QueryBundle

from bot.answering.words import acronyms, codes, quotes
from bot.domain import prompts
from bot.serving.llamaindex import LorebotLLM
from bot.serving.model import Cancellation, LanguageModel, Sampling

_HYPOTHESIS_TOKENS = 96
_QUESTION = "{context_str}"  # as HyDEQueryTransform calls it


def may_help(text: str) -> bool:
    """Not where a code, an acronym or quoted words say exactly what is looked for."""
    return not (codes(text) or acronyms(text) or quotes(text))


def hypothetical(
    text: str, model: LanguageModel, cancellation: Cancellation | None = None
) -> QueryBundle:
    """The question, to be embedded as the mean of itself and a hypothetical answer.

    Raises ModelError.
    """
    llm = LorebotLLM(model, Sampling(max_tokens=_HYPOTHESIS_TOKENS), cancellation)
    template = ChatPromptTemplate(
        [
            ChatMessage(role=message.role, content=message.content)
            for message in prompts.hypothesis_messages(_QUESTION)
        ]
    )
    return HyDEQueryTransform(llm, template).run(QueryBundle(text))
