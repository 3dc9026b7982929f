"""Stage ``verify``: refuses GGUF files that do not tokenise and compute as their source does.

Tokens first (vocabulary, texts, conversations, end of turn), then logits, because other tokens
explain other logits. Not covered: whether the source itself is right (``merge`` compares it with
base and adapter) and whether its answers are good (``evaluate``).
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from adapters.errors import VerificationFailed
from adapters.export.fidelity import (
    GATES,
    Fidelity,
    FidelityTally,
    load_reference,
    reference_logits,
    shortfalls,
    token_windows,
)
from adapters.export.verification_texts import normalised
from adapters.models.base_model import check_base, libraries
from adapters.models.gguf_model import GgufModel
from adapters.models.prompt_tokens import PromptTokenizer
from adapters.runs.manifest import Manifest, Run, run_stage
from adapters.settings import VerifyTable
from bot.domain.values import Message

_SHOWN = 3
_SHOWN_CHARACTERS = 60
_FLOAT32 = 1e-6  # relative precision of numbers in a GGUF file


def verify(
    table: VerifyTable,
    model: Path,
    converted: Manifest,
    quantized: Manifest,
    folder: Path,
    *,
    texts: Sequence[str] = (),
) -> Manifest:
    """Hold the converted and the quantized file against the model in the folder ``model``.

    ``texts`` are added to those built in, for instance validation examples. The metrics hold a
    Fidelity per file. Raises VerificationFailed with everything that differs.
    """
    precision = str(converted.settings["precision"])
    files = {
        precision: converted.output("gguf"),
        str(quantized.settings["quantization"]): quantized.output("gguf"),
    }

    def work(run: Run) -> None:
        for name, fidelity in verify_files(table, model, files, texts).items():
            run.metrics[name] = asdict(fidelity)
            run.metrics[name]["perplexity_growth"] = fidelity.perplexity_growth

    inputs: dict[str, Path | str] = {"model": model, **files, "texts": _identity(texts)}
    return run_stage("verify", folder, settings=table, inputs=inputs, work=work)


def verify_files(
    table: VerifyTable, source: Path, files: Mapping[str, Path], texts: Sequence[str] = ()
) -> dict[str, Fidelity]:
    """Compare GGUF files, by precision or quantization, with the model in the folder ``source``.

    Raises VerificationFailed with everything that differs, BaseMismatch where ``source`` is no
    model, NotEnoughMemory before its weights in float32 would not fit.
    """
    everything = normalised(texts)
    with ExitStack() as stack:
        stack.enter_context(libraries())
        reference = _Reference.read(source)
        window = min(table.window, reference.config.max_position_embeddings)
        models = {
            name: stack.enter_context(GgufModel(path, context_tokens=window))
            for name, path in files.items()
        }
        found = {
            name: _differences(reference, model, everything, odd_tokens=table.odd_tokens)
            for name, model in models.items()
        }
        _refuse(files, found)
        pieces = token_windows(reference.tokenizer, everything, window, table.tokens)
        measured = _measure(source, models, pieces)
    gates = GATES | table.gates
    _refuse(files, {name: shortfalls(each, gates[name]) for name, each in measured.items()})
    return measured


@dataclass(frozen=True, slots=True)
class _Reference:
    """What the folder of the merged model says: its tokenizer as training uses it, its
    configuration, and the tokens that end an answer.
    """

    tokenizer: PromptTokenizer
    config: Any
    ends: frozenset[int]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Raises BaseMismatch where ``folder`` holds no model that can chat."""
        from transformers import AutoConfig, GenerationConfig

        check_base(folder)
        tokenizer = PromptTokenizer(folder)
        whole: Any = AutoConfig.from_pretrained(folder, local_files_only=True)
        config = whole.get_text_config()
        stated: Any = config.eos_token_id
        if (folder / "generation_config.json").is_file():
            stated = GenerationConfig.from_pretrained(folder, local_files_only=True).eos_token_id
        ends = stated if isinstance(stated, list) else [stated]
        known = {tokenizer.end_of_turn, tokenizer.library_tokenizer.eos_token_id, *ends}
        return cls(tokenizer, config, frozenset(known - {None}))


def _differences(
    reference: _Reference, model: GgufModel, texts: Sequence[str], *, odd_tokens: int = 0
) -> list[str]:
    """What differs, as sentences without their ends; empty where all is alike.

    ``texts`` are cut on their own and as parts of conversations. The first kind of difference
    explains those after it, so only that is told, with a few examples.
    """
    kinds = _kinds_of_differences(reference, model, texts, odd_tokens)
    found = next((problems for problems in kinds if problems), [])
    more = [f"and {len(found) - _SHOWN} more of this kind"] if len(found) > _SHOWN else []
    return found[:_SHOWN] + more


def _measure(
    source: Path, models: Mapping[str, GgufModel], pieces: Iterator[list[int]]
) -> dict[str, Fidelity]:
    """Window by window, so that the logits of one at a time are in memory."""
    reference = load_reference(source)
    tallies = {name: FidelityTally() for name in models}
    for tokens in pieces:
        expected = reference_logits(reference, tokens)
        for name, model in models.items():
            tallies[name].add(expected, model.logits(tokens), tokens)
    return {name: tally.result() for name, tally in tallies.items()}


def _refuse(files: Mapping[str, Path], problems: Mapping[str, Sequence[str]]) -> None:
    found = [f"{files[name].name}: {each}" for name, some in problems.items() for each in some]
    if found:
        raise VerificationFailed(
            "The converted model is not the merged one and must not be served; convert and "
            "quantize again, and choose another base if this repeats:\n  " + "\n  ".join(found)
        )


def _identity(texts: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def _kinds_of_differences(
    reference: _Reference, model: GgufModel, texts: Sequence[str], odd_tokens: int
) -> Iterator[list[str]]:
    config, tokenizer = reference.config, reference.tokenizer
    yield _size(tokenizer, config, model)
    odd = _tokens(tokenizer, model) or _texts(tokenizer, model, [*_texts_of_tokens(tokenizer)])
    yield odd if len(odd) > odd_tokens else []
    yield _texts(tokenizer, model, texts)
    yield _conversations(tokenizer, model, texts)
    yield _ends(reference.ends, model)
    yield _positions(config, model)


def _size(tokenizer: PromptTokenizer, config: Any, model: GgufModel) -> list[str]:
    if model.vocabulary_size != config.vocab_size:
        return [
            f"its vocabulary has {model.vocabulary_size} tokens instead of {config.vocab_size}: "
            "tokens were added or lost"
        ]
    if (count := len(tokenizer.library_tokenizer)) > config.vocab_size:
        return [
            f"the tokenizer has {count} tokens, but the model only {config.vocab_size}: tokens "
            "were added that it has no embeddings for"
        ]
    return []


def _tokens(tokenizer: PromptTokenizer, model: GgufModel) -> list[str]:
    """Each token is the same text under the same number, and control tokens are such."""
    library = tokenizer.library_tokenizer
    texts = library.convert_ids_to_tokens(list(range(len(library))))
    problems = [
        f"token {token} is {model.token_text(token)!r} instead of {text!r}"
        for token, text in enumerate(texts)
        if text is not None and _plain(model.token_text(token)) != _plain(text)
    ]
    return problems + [
        f"token {token} ({added.content!r}) is an ordinary token instead of a control token"
        for token, added in library.added_tokens_decoder.items()
        if added.special and not model.is_control(token)
    ]


def _texts_of_tokens(tokenizer: PromptTokenizer) -> Iterator[str]:
    """What each token stands for: where a merge is missing, its token's text shows it."""
    library = tokenizer.library_tokenizer
    added = library.added_tokens_decoder
    for token in range(len(library)):
        text = "" if token in added else library.decode([token])
        if text and "\ufffd" not in text and unicodedata.is_normalized("NFC", text):
            yield text


def _texts(tokenizer: PromptTokenizer, model: GgufModel, texts: Sequence[str]) -> list[str]:
    expected = tokenizer.library_tokenizer(list(texts), add_special_tokens=False)["input_ids"]
    return [
        _difference(f"the text {_shortened(text)!r}", ids, found)
        for text, ids in zip(texts, expected, strict=True)
        if (found := model.tokenize(text)) != ids
    ]


def _conversations(tokenizer: PromptTokenizer, model: GgufModel, texts: Sequence[str]) -> list[str]:
    """As trained and as served: template, beginning of the text, and contents that look like
    control tokens.
    """
    return [
        _difference(f"the conversation about {_shortened(text)!r}", expected, found)
        for text in texts
        for messages in _shapes(text)
        if (found := model.prompt(messages)) != (expected := tokenizer.prompt(messages))
    ]


def _ends(tokens: frozenset[int], model: GgufModel) -> list[str]:
    return [
        f"token {token} ({model.token_text(token)!r}) does not end the answer: the model would "
        "go on talking"
        for token in sorted(tokens)
        if not model.weights.ends_turn(token)
    ]


def _positions(config: Any, model: GgufModel) -> list[str]:
    """The keys that say how positions are encoded, where all layers do it alike."""
    rope = getattr(config, "rope_parameters", None) or {}
    expected: dict[str, float | str] = {"context_length": config.max_position_embeddings}
    if "rope_theta" in rope:
        expected["rope.freq_base"] = rope["rope_theta"]
    if rope.get("rope_type") in ("linear", "yarn"):
        expected["rope.scaling.type"] = rope["rope_type"]
        expected["rope.scaling.factor"] = rope["factor"]
    return [
        f"{key} is {found or 'not stated'} instead of {value}"
        for key, value in expected.items()
        if not _same(found := model.stated(key), value)
    ]


def _shapes(text: str) -> Iterator[list[Message]]:
    yield [Message("user", text)]
    yield [Message("system", "Answer from the sources."), Message("user", text)]
    yield [Message("user", "?"), Message("assistant", text), Message("user", "And then?")]


def _plain(token: str) -> str:
    """The converter writes blanks of added tokens as blanks, sentencepiece as a low bar."""
    return token.replace("\u2581", " ")


def _same(found: str | None, expected: float | str) -> bool:
    if found is None or isinstance(expected, str):
        return found == expected
    return abs(float(found) - expected) <= _FLOAT32 * abs(expected)


def _difference(what: str, expected: Sequence[int], found: Sequence[int]) -> str:
    place = next(
        (at for at, pair in enumerate(zip(expected, found, strict=False)) if pair[0] != pair[1]),
        min(len(expected), len(found)),
    )
    there, here = (list(tokens[place : place + _SHOWN]) for tokens in (expected, found))
    return f"{what} becomes other tokens from place {place} on: {here} instead of {there}"


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
