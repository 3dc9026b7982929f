"""Every number that decides, in one settings table."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from indexer.settings import Table

Share = Annotated[float, Field(ge=0, le=1)]


class Thresholds(Table):
    """``[thresholds]``: probabilities and shares in 0..1; `lorebot calibrate` fits them to votes.

    Those of the language model's own judgements begin where a model that is not calibrated errs
    on the harmless side.
    """

    retrieve: Share = 0.2
    """Of the model, that a remark which may be no question needs the documents (Self-RAG's)."""
    plausible: Share = 0.1
    """Of the evidence judge, from which a passage is shown to the model at all."""
    hypothesis: Share = 0.35
    """Of the best evidence, below which a hypothetical passage is searched for (HyDE)."""
    relevant: Share = 0.3
    """Of the model, from which an answer may rest on a passage."""
    conflicting: Share = 0.7
    """Of the model, from which two passages are said to disagree."""
    supported: Share = 0.5
    """Of the model, from which a sentence stays in the answer."""
    words: Share = 0.6
    """The share of a sentence's words that the passages it cites must hold."""
    useful: Share = 0.1
    """Of the model, below which its own answer is withdrawn."""
    quote: Share = 0.35
    """Of the evidence judge, from which an excerpt is quoted as an answer."""
    quote_margin: float = Field(default=1.0, ge=0)
    """Log-odds within which further excerpts are quoted beside the best."""
    quote_likeness: Share = 0.5
    """The cosine from which an excerpt of another page is about the same thing."""
