"""Differences between servers: names, token counts, adapters, JSON schemas, refused fields.

llama.cpp's llama-server, vLLM and llama-cpp-python's server are recognised by their answer to
``/v1/models``. Any other server gets plain OpenAI requests, and its tokens are estimated.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PureWindowsPath
from typing import Any, Literal

from bot.domain.errors import ModelError
from bot.domain.values import Message
from bot.serving.model import Sampling
from bot.serving.openai.connection import Connection, Refused

Kind = Literal["llama-server", "vllm", "llama-cpp-python", "other"]
Turn = dict[str, str]

_KINDS: Mapping[str, Kind] = {
    "llamacpp": "llama-server",
    "vllm": "vllm",
    "me": "llama-cpp-python",
}
_LISTED_TOKENS = 20  # what OpenAI and vLLM allow
_FEWER_LISTED_TOKENS = 5
_BETWEEN_MERGED_TURNS = "\n\n"
_BYTES_PER_TOKEN, _TOKENS_PER_TURN = 3, 8  # prose has 4 to 5 bytes a token
# The first characters of the marks with which common chat templates delimit turns.
_MARK = re.compile(
    r"<(?=[|｜][^<>\s]{1,40}[|｜]>|/?s>|(?:start|end)_of_turn>|(?:bos|eos|pad|unk)>|</?SYS>>)"
    r"|\[(?=/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\])"
)


@dataclass(slots=True)
class Dialect:
    """What one server accepts. A field that it refused is not sent again."""

    kind: Kind
    name: str
    """The model's name for people, without the server's directories."""
    model: str
    """The model's name in requests."""
    context_tokens: int = 0
    """0 where the server does not tell."""
    lora: list[dict[str, float]] = field(default_factory=list)
    alternating: bool = False
    """Whether turns must alternate between user and assistant, without a system turn."""
    counts: bool = True
    """Whether the server's tokenizer can be asked."""
    refused: set[str] = field(default_factory=set)

    def request(self, messages: Sequence[Message], **fields: Any) -> dict[str, Any]:
        """The body of ``/v1/chat/completions``."""
        body: dict[str, Any] = {
            "model": self.model,
            "messages": self.turns(messages),
            "chat_template_kwargs": {"enable_thinking": False},
            **fields,
        }
        if self.lora:
            body["lora"] = self.lora
        if "top_logprobs" in self.refused and "top_logprobs" in body:
            body["top_logprobs"] = _FEWER_LISTED_TOKENS
        for name in self.refused - {"top_logprobs"}:
            body.pop(name, None)
        return body

    def answer(self, messages: Sequence[Message], sampling: Sampling) -> dict[str, Any]:
        """The body that asks for an answer."""
        fields: dict[str, Any] = {
            "stream": True,
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
        }
        if sampling.temperature > 0:
            names = ("top_p", "min_p", "seed")
            fields |= {name: getattr(sampling, name) for name in names}
        if sampling.stop:
            fields["stop"] = list(sampling.stop)
        if sampling.json_schema:
            fields["response_format"] = self._schema(sampling.json_schema)
        return self.request(messages, **fields)

    def choice(self, messages: Sequence[Message], **fields: Any) -> dict[str, Any]:
        """The body that asks for the likeliest first tokens."""
        fields |= {"max_tokens": 1, "temperature": 0.0}
        return self.request(messages, logprobs=True, top_logprobs=_LISTED_TOKENS, **fields)

    def learn(self, refusal: Refused) -> bool:
        """Drop the field that the refusal names; False where it names none that can be dropped."""
        for name, said in _DISPENSABLE.items():
            if name not in self.refused and said in refusal.answer:
                self.refused.add(name)
                return True
        return False

    def turns(self, messages: Sequence[Message]) -> list[Turn]:
        """Messages in the server's form, NFC-normalised, none of which can end its turn.

        Servers parse marks such as ``<|im_end|>`` also within contents; there they get a blank
        after their first character.
        """
        turns: list[Turn] = []
        for message in messages:
            content = _MARK.sub(r"\g<0> ", unicodedata.normalize("NFC", message.content))
            role = "user" if self.alternating and message.role == "system" else message.role
            if self.alternating and turns and turns[-1]["role"] == role:
                turns[-1]["content"] += _BETWEEN_MERGED_TURNS + content
            else:
                turns.append({"role": role, "content": content})
        return turns

    async def count(self, connection: Connection, messages: Sequence[Message]) -> int:
        """Tokens of the prompt, by the server's tokenizer.

        llama-cpp-python's server does not render templates: its tokens are those of a ChatML
        prompt. Any other server's are estimated at one per three bytes and eight per turn: half
        as many again as English prose has, too few for columns of digits.
        """
        turns = self.turns(messages)
        match self.kind if self.counts else "other":
            case "llama-server":
                rendered = await connection.json("POST", "/apply-template", self.request(messages))
                text = {"content": rendered["prompt"], "add_special": True, "parse_special": True}
                return len((await connection.json("POST", "/tokenize", text))["tokens"])
            case "vllm":
                asked = self.request(messages, add_generation_prompt=True)
                return int((await connection.json("POST", "/tokenize", asked))["count"])
            case "llama-cpp-python":
                asked = {"model": self.model, "input": _chatml(turns)}
                return int(
                    (await connection.json("POST", "/extras/tokenize/count", asked))["count"]
                )
        size = sum(len(turn["content"].encode()) for turn in turns)
        return size // _BYTES_PER_TOKEN + _TOKENS_PER_TURN * (len(turns) + 1)

    def _schema(self, schema: str) -> dict[str, Any]:
        """``response_format`` for a JSON schema. Raises ModelError when it is none."""
        try:
            parsed = json.loads(schema)
        except ValueError as error:
            raise ModelError(
                f"The JSON schema cannot be followed ({error}): correct it."
            ) from error
        if self.kind == "llama-cpp-python":
            return {"type": "json_object", "schema": parsed}
        return {"type": "json_schema", "json_schema": {"name": "answer", "schema": parsed}}


_DISPENSABLE = {
    "chat_template_kwargs": "chat_template",
    "min_p": "min_p",
    "top_logprobs": "logprobs",
}
"""Fields that not every server takes, and how its refusal names them."""


async def discover(connection: Connection, model: str, adapter: str) -> Dialect:
    """Ask the server what it serves. Raises ModelError where model or adapter is missing."""
    listed = await connection.json("GET", "/v1/models")
    try:
        # vLLM lists its adapters beside their models
        models = {entry["id"]: entry for entry in listed["data"] if not entry.get("parent")}
        chosen = _chosen(models, model)
        kind = _KINDS.get(str(chosen.get("owned_by")), "other")
        dialect = Dialect(kind, PureWindowsPath(chosen["id"]).name, chosen["id"])
        match dialect.kind:
            case "llama-server":
                meta = chosen.get("meta") or {}
                props = {} if "n_ctx" in meta else await connection.json("GET", "/props")
                settings = props.get("default_generation_settings", {})
                dialect.context_tokens = int(meta.get("n_ctx") or settings.get("n_ctx") or 0)
                dialect.lora = await _lora(connection, adapter)
            case "vllm":
                dialect.context_tokens = int(chosen.get("max_model_len") or 0)
                if adapter:
                    _require(adapter, [entry["id"] for entry in listed["data"]], "adapter")
                    dialect.model = adapter
            case _ if adapter:
                raise ModelError(
                    f"The model's server at {connection.address} takes no adapters by name: use "
                    "vLLM or llama-server, or leave the adapter out."
                )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise connection.invalid_answer(json.dumps(listed)) from error
    return dialect


def _chosen(models: Mapping[str, dict[str, Any]], name: str) -> dict[str, Any]:
    if not name and len(models) == 1:
        return next(iter(models.values()))
    by_any_name = {
        **{alias: entry for entry in models.values() for alias in entry.get("aliases") or ()},
        **models,
    }
    _require(name, list(by_any_name), "model")
    return by_any_name[name]


async def _lora(connection: Connection, adapter: str) -> list[dict[str, float]]:
    """Scales of all loaded adapters: llama-server applies unnamed ones at their own scale."""
    try:
        loaded = await connection.json("GET", "/lora-adapters")
    except Refused:
        loaded = []
    names = {PureWindowsPath(entry["path"]).stem: entry["id"] for entry in loaded}
    if adapter:
        _require(adapter, list(names), "adapter")
    return [{"id": place, "scale": float(name == adapter)} for name, place in names.items()]


def _require(name: str, known: Sequence[str], what: str) -> None:
    if name not in known:
        raise ModelError(
            f"The model's server has no {what} {name!r}. Name one of these in the settings: "
            f"{', '.join(known) or 'none'}."
        )


def _chatml(turns: Sequence[Turn]) -> str:
    written = (f"<|im_start|>{turn['role']}\n{turn['content']}<|im_end|>\n" for turn in turns)
    return "".join(written) + "<|im_start|>assistant\n"
