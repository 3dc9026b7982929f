"""Messages → prompt tokens through the model's own chat template, safe from what messages contain.

A template is rendered with placeholders instead of contents. Afterwards the contents are put
back as separate segments, so that only the template's own text can hold control tokens: a
document with ``<|im_end|>`` in it cannot end a turn. Serving, verification and training all get
their prompts from ``prompt_tokens``: a model learns on exactly the tokens that it later reads.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bot.domain.errors import ModelError
from bot.domain.values import Message

CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)

_PLACEHOLDER = "lorebot-content-{}-tnetnoc-toberol"
_PLACEHOLDERS = re.compile(_PLACEHOLDER.format(r"(\d+)"))
_BETWEEN_MERGED_TURNS = "\n\n"

Turn = dict[str, str]
Renderer = Callable[[list[Turn]], str]


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of the prompt; control tokens are recognised only where ``control`` is true."""

    text: str
    control: bool
    by_assistant: bool = False


def prompt_tokens(
    template: ChatTemplate,
    messages: Sequence[Message],
    tokenize: Callable[[Segment], Sequence[int]],
    beginning: Sequence[int],
) -> list[int]:
    """Token ids of the prompt, up to where the assistant begins to speak.

    ``tokenize`` encodes one segment, without tokens of its own at either end. ``beginning`` is
    what the tokenizer puts before every text (BOS), empty where it puts nothing; it is added once,
    also where the template writes it itself. No end of text (EOS) is added.
    Raises ModelError where the template refuses the conversation.
    """
    tokens = [token for segment in template.segments(messages) for token in tokenize(segment)]
    if tokens[: len(beginning)] != list(beginning):
        tokens[:0] = beginning
    return tokens


class ChatTemplate:
    """``render`` is the model's template: turns with role and content in, the prompt out.

    Some templates refuse a system turn or two turns of one role in a row. Such turns are
    folded into the next user turn or into each other.
    """

    def __init__(self, render: Renderer) -> None:
        self._render = render
        self._takes_system = self._shows(["system", "user"])
        self._takes_repetition = self._shows(["user", "user"])
        if not self._shows(["user"]):
            raise ModelError(
                "The model's chat template does not show the user's message: choose an "
                "instruction-tuned model."
            )

    def segments(self, messages: Sequence[Message]) -> list[Segment]:
        """The prompt up to where the assistant begins to speak. Contents are NFC-normalised."""
        prompt = self._render(self._turns([message.role for message in messages]))
        return list(_fill(prompt, messages))

    def _turns(self, roles: Sequence[str]) -> list[Turn]:
        turns: list[Turn] = []
        fold = False
        for index, role in enumerate(roles):
            content = _PLACEHOLDER.format(index)
            if fold or (turns and turns[-1]["role"] == role and not self._takes_repetition):
                turns[-1]["content"] += _BETWEEN_MERGED_TURNS + content
            elif role == "system" and not self._takes_system:
                turns.append({"role": "user", "content": content})
            else:
                turns.append({"role": role, "content": content})
            fold = role == "system" and not self._takes_system
        return turns

    def _shows(self, roles: Sequence[str]) -> bool:
        placeholders = [_PLACEHOLDER.format(index) for index in range(len(roles))]
        turns = [
            {"role": role, "content": content}
            for role, content in zip(roles, placeholders, strict=True)
        ]
        try:
            prompt = self._render(turns)
        except ModelError:
            return False
        return all(placeholder in prompt for placeholder in placeholders)


def _fill(prompt: str, messages: Sequence[Message]) -> Iterator[Segment]:
    """Odd parts of the split are the numbers of placeholders, even parts the template's text."""
    for place, part in enumerate(_PLACEHOLDERS.split(prompt)):
        if place % 2:
            message = messages[int(part)]
            content = unicodedata.normalize("NFC", message.content)
            yield Segment(content, control=False, by_assistant=message.role == "assistant")
        elif part:
            yield Segment(part, control=True)
