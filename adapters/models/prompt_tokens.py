"""Examples as token ids: the very prompt that serving computes, and the answer that is learned.

Prompts come from ``bot.serving.llama_cpp.template.prompt_tokens``, as in serving, so that a
document with ``<|im_end|>`` in it never becomes a control token here either. Prompt and answer are
tokenised apart, because that is how a model reads the one and generates the other.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.errors import BaseMismatch
from bot.domain.errors import ModelError
from bot.domain.values import Message
from bot.serving.llama_cpp.template import ChatTemplate, prompt_tokens

NOT_LEARNED = -100  # what PyTorch's cross entropy skips

_ANSWER = "lorebot-answer-rewsna-toberol"


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token ids: ``prompt`` is read, ``answer`` is learned and ends with the end of the turn."""

    prompt: list[int]
    answer: list[int]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.answer)

    def supervised(self) -> dict[str, list[int]]:
        """A row for trl; ``labels`` are -100 over the prompt: loss is on the answer alone."""
        return {
            "input_ids": [*self.prompt, *self.answer],
            "labels": [*[NOT_LEARNED] * len(self.prompt), *self.answer],
        }


class PromptTokenizer:
    """A base model's tokenizer and chat template, used as serving uses them."""

    def __init__(self, base: Path) -> None:
        """Raises BaseMismatch where the folder holds no tokenizer, or one that cannot chat."""
        from transformers import AutoTokenizer

        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(base, local_files_only=True)
        except (OSError, ValueError) as error:
            raise BaseMismatch(
                f"{base} holds no tokenizer that can be read ({type(error).__name__}): name the "
                "folder of an instruction-tuned base model as Hugging Face lays it out."
            ) from error
        if not self._tokenizer.chat_template:
            raise BaseMismatch(
                f"The base model in {base} has no chat template: choose an instruction-tuned one."
            )
        try:
            self._template = ChatTemplate(self._prompt_text)
        except ModelError as error:
            raise BaseMismatch(f"{base}: {error}") from error
        self._beginning = self._added_before_every_text()
        self.end_of_turn = self._end_of_turn()
        padding = self._tokenizer.pad_token_id
        self.padding: int = self.end_of_turn if padding is None else padding

    @property
    def library_tokenizer(self) -> Any:
        """The transformers object, for libraries that insist on one."""
        return self._tokenizer

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """The rendered prompt, up to where the assistant begins to speak."""
        return prompt_tokens(
            self._template,
            messages,
            lambda segment: self._encode(segment.text, control=segment.control),
            self._beginning,
        )

    def answer(self, text: str) -> list[int]:
        """What the assistant writes, and the token with which it ends its turn."""
        normal = unicodedata.normalize("NFC", text)
        return [*self._encode(normal, control=False), self.end_of_turn]

    def plain(self, text: str) -> list[int]:
        """The tokens of a text that is in no conversation; control tokens are not recognised."""
        return self._encode(text, control=False)

    def tokens(self, messages: Sequence[Message], answer: str) -> Tokens:
        return Tokens(self.prompt(messages), self.answer(answer))

    def _encode(self, text: str, *, control: bool) -> list[int]:
        encoded: list[int] = self._tokenizer.encode(
            text, add_special_tokens=False, split_special_tokens=not control
        )
        return encoded

    def _added_before_every_text(self) -> list[int]:
        """BOS alone: some tokenizers add an EOS, too, which in a prompt would end it."""
        whole: list[int] = self._tokenizer.encode("a")
        text = self._encode("a", control=False)
        places = range(len(whole) - len(text) + 1)
        return whole[: next((at for at in places if whole[at : at + len(text)] == text), 0)]

    def _prompt_text(self, turns: list[dict[str, str]]) -> str:
        return self._render(turns, add_generation_prompt=True)

    def _render(self, turns: list[dict[str, str]], *, add_generation_prompt: bool) -> str:
        from jinja2 import TemplateError

        try:
            rendered: str = self._tokenizer.apply_chat_template(
                turns,
                tokenize=False,
                add_generation_prompt=add_generation_prompt,
                enable_thinking=False,  # as in serving
            )
        except (TemplateError, TypeError, ValueError) as error:
            raise ModelError(f"The chat template refuses the conversation ({error}).") from error
        return rendered

    def _end_of_turn(self) -> int:
        """The control token that the template writes after an answer, else the end of the text."""
        turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": _ANSWER}]
        try:
            _, _, after = self._render(turns, add_generation_prompt=False).rpartition(_ANSWER)
        except ModelError:
            after = ""
        following = self._encode(after.strip(), control=True)[:1]
        control = set(self._tokenizer.all_special_ids)
        for token in (*following, self._tokenizer.eos_token_id):
            if token in control:
                return int(token)
        raise BaseMismatch(
            "The base model's chat template does not end the assistant's turn, and its tokenizer "
            "names no end of text: the model could never learn to stop. Choose another base."
        )
