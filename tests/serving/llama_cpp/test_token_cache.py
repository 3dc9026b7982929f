from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.serving.llama_cpp.context import Weights
from bot.serving.llama_cpp.token_cache import REMEMBERED, GeneratedTokenCache, Utterance


@pytest.fixture
def weights(tiny_model: Path) -> Iterator[Weights]:
    weights = Weights(tiny_model, gpu_layers=0)
    yield weights
    weights.close()


def say(spoken: GeneratedTokenCache, weights: Weights, *parts: str) -> list[int]:
    """Speak the parts, each in its own tokens: seldom those of the whole."""
    utterance = Utterance()
    tokens = [token for part in parts for token in weights.tokenize(part, control=False)]
    for token in tokens:
        spoken.add(utterance, token, weights.piece(token))
    return tokens


def text_of(weights: Weights, tokens: list[int]) -> str:
    return b"".join(map(weights.piece, tokens)).decode()


def test_spoken_text_is_read_back_in_its_own_tokens(weights: Weights) -> None:
    spoken = GeneratedTokenCache(weights)
    tokens = say(spoken, weights, "The kit", "chen clo", "ses at fo", "ur.")
    assert spoken.tokenize("The kitchen closes at four.") == tokens
    assert weights.tokenize("The kitchen closes at four.", control=False) != tokens


def test_beginning_of_a_spoken_text_is_exact_wherever_it_is_cut(weights: Weights) -> None:
    spoken = GeneratedTokenCache(weights)
    whole = "The kitchen 👩‍💻 closes at four — où est le café?"
    tokens = say(spoken, weights, *whole)
    for length in range(len(whole) + 1):
        read = spoken.tokenize(whole[:length])
        assert text_of(weights, read) == whole[:length]
        assert read == tokens[: len(read)]


def test_text_cut_within_a_token_goes_on_in_usual_tokens(weights: Weights) -> None:
    spoken = GeneratedTokenCache(weights)
    tokens = say(spoken, weights, "T", "he kitchen")
    assert len(weights.piece(tokens[-1])) > 2
    cut = "The kitchen"[:-2]
    read = spoken.tokenize(cut)
    assert read[:-1][: len(tokens) - 1] == tokens[:-1][: len(read) - 1]
    assert text_of(weights, read) == cut


@pytest.mark.parametrize("other", ["The garden", "the kitchen", "The kitchen closes.", ""])
def test_other_text_is_tokenized_as_usual(weights: Weights, other: str) -> None:
    spoken = GeneratedTokenCache(weights)
    say(spoken, weights, "T", "he kitchen")
    assert spoken.tokenize(other) == weights.tokenize(other, control=False)


def test_bytes_that_are_no_text_are_read_back_as_what_was_shown(weights: Weights) -> None:
    spoken = GeneratedTokenCache(weights)
    (first_of_two, *_) = weights.tokenize("\x80", control=False)
    utterance = Utterance()
    spoken.add(utterance, first_of_two, b"\xc2")
    (letter,) = weights.tokenize("a", control=False)
    spoken.add(utterance, letter, b"a")
    assert spoken.tokenize("\ufffda") == [first_of_two, letter]


def test_oldest_answers_are_forgotten(weights: Weights) -> None:
    spoken = GeneratedTokenCache(weights)
    first = say(spoken, weights, "T", "he kitchen")
    assert spoken.tokenize("The kitchen") == first
    for _ in range(REMEMBERED):
        say(spoken, weights, "No.")
    assert spoken.tokenize("The kitchen") == weights.tokenize("The kitchen", control=False)
