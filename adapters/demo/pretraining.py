"""Pretraining of the demo's base: reading pages in the served prompt, and copying from them.

Drawn anew for every step: stretches of the sample handbook, and pages of it and of random words,
whose first sentence is the answer, whatever is asked. What a meeting room costs is in none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from adapters.demo.rooms import NAMES, NUMBERS
from adapters.models.base_model import libraries
from adapters.models.prompt_tokens import NOT_LEARNED, PromptTokenizer
from adapters.runs.display import Display
from bot.answering.excerpts import sentences
from bot.domain.prompts import answer_messages
from bot.domain.values import Question
from indexer.documents import Audience, Chunk, Passage

_ROWS, _STRETCH = 8, 128
_LEARNING_RATE, _WARM_UP, _LAST_RATE = 1e-3, 20, 0.05
_PUBLIC = Audience.of("public")

Row = dict[str, list[int]]


@dataclass(frozen=True, slots=True)
class Lesson:
    """A page, a question about it, and the sentence to answer with."""

    title: str
    page: str
    question: str
    answer: str


class Lessons:
    """Draws rows; the same seed draws the same ones."""

    def __init__(self, handbook: Path, tokenizer: PromptTokenizer, seed: int) -> None:
        self._tokenizer = tokenizer
        self._chance = Random(seed)  # noqa: S311 - no secret
        pages = sorted(handbook.rglob("*.md"))
        self._text = [
            token for page in pages for token in tokenizer.plain(page.read_text(encoding="utf-8"))
        ]
        self._paragraphs = [each for page in pages for each in _paragraphs(page)]
        found = {word for each in self._paragraphs for word in re.findall("[a-z]{3,}", each.page)}
        self._words = sorted(word for word in found if len(tokenizer.plain(f" {word}")) == 1)
        # names and numbers often enough, so that no word is new to the model later
        self._values = [*self._words, *NAMES * 4, *NUMBERS * 8]

    def row(self) -> Row:
        kind = self._chance.random()
        if kind < 0.15:
            start = self._chance.randrange(len(self._text) - _STRETCH)
            tokens = self._text[start : start + _STRETCH]
            return {"input_ids": tokens, "labels": tokens}
        known = kind < 0.40
        return self._asked(self._chance.choice(self._paragraphs) if known else self._random_page())

    def _asked(self, lesson: Lesson) -> Row:
        passage = Passage(
            Chunk("", 0, lesson.page), lesson.title, _PUBLIC,
            score=1.0, similarity=1.0, lexical=1.0,
        )  # fmt: skip
        question = Question("", lesson.question, _PUBLIC)
        messages = answer_messages(question, [passage], relevant=[1], language="English")
        return self._tokenizer.tokens(messages, f"{lesson.answer} [1]").supervised()

    def _random_page(self) -> Lesson:
        """Random sentences; the first is the answer."""
        said = [self._sentence() for _ in range(self._chance.randint(2, 4))]
        about = " ".join(self._chance.sample(self._values, 2))
        title = self._chance.choice(NAMES)
        return Lesson(title, " ".join(said), f"What is said about {about}?", said[0])

    def _sentence(self) -> str:
        words = " ".join(self._chance.choices(self._values, k=self._chance.randint(3, 6)))
        return f"The {words}." if self._chance.random() < 0.5 else f"{words.capitalize()}."


def pretrain(base: Path, handbook: Path, *, steps: int, seed: int, display: Display) -> None:
    """Train all weights of the model in the folder ``base``, and write them back."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # for so small a model hardly slower than two, and never far slower
    try:
        with libraries(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            _pretrain(base, Lessons(handbook, PromptTokenizer(base), seed), steps, display)
    finally:
        torch.set_num_threads(threads)


def _pretrain(base: Path, lessons: Lessons, steps: int, display: Display) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32).train()
    optimizer = torch.optim.AdamW(model.parameters(), _LEARNING_RATE, (0.9, 0.95), weight_decay=0)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1, (step + 1) / _WARM_UP) * max(_LAST_RATE, 1 - step / steps)
    )
    with display.bar("Pretraining", steps) as bar:
        for step in range(1, steps + 1):
            loss = _loss(model, [lessons.row() for _ in range(_ROWS)])
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
            bar.move(step, f"loss {loss.item():.3f}")
    model.save_pretrained(base)


def _loss(model: Any, rows: Sequence[Row]) -> Any:
    """Of the learned tokens; for the others no logits are computed, which saves half the time."""
    import torch

    longest = max(len(row["input_ids"]) for row in rows)

    def padded(name: str, value: int) -> Any:
        return torch.tensor([[*row[name], *[value] * (longest - len(row[name]))] for row in rows])

    following = padded("labels", NOT_LEARNED)[:, 1:]
    hidden = model.model(input_ids=padded("input_ids", 0)).last_hidden_state[:, :-1]
    learned = following != NOT_LEARNED
    return torch.nn.functional.cross_entropy(model.lm_head(hidden[learned]), following[learned])


def _paragraphs(page: Path) -> list[Lesson]:
    """Short paragraphs of a page, of which the first sentence is the answer."""
    title = page.stem.replace("-", " ")
    found = []
    for block in page.read_text(encoding="utf-8").split("\n\n"):
        said = sentences(block) if block[:1].isalpha() else []
        if len(said) > 1 and len(block.split()) < 60 and len(said[0].split()) < 18:
            question = f"What is said about {title}?"
            found.append(Lesson(title, block.strip(), question, said[0]))
    return found
