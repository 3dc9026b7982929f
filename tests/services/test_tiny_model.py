from __future__ import annotations

import time
import unicodedata
from pathlib import Path

import pytest

from bot.domain.values import Message
from bot.serving.llama_cpp.context import Weights
from bot.serving.llama_cpp.engine import LlamaEngine
from bot.serving.model import Sampling
from tests.services.tiny_model import TURN_END, distinct_text, train_tokenizer, write_tiny_model

CORPUS = Path(__file__).with_name("tiny_corpus.txt").read_text(encoding="utf-8")
TEXTS = [
    *CORPUS.splitlines(),
    CORPUS,
    "family 👨‍👩‍👧‍👦, skin 👍🏽, flag 🇪🇺, and a lone variation selector ️",
    "cafe\u0301 A\u030angstro\u0308m \u1100\u1161\u11a8 \u0e01\u0e33 क्षि",
    "\u212b \u2126 ﬁ ½ ① ｆｕｌｌ",
    "tabs\tand   spaces  \n\n\n and\r\nline ends \u00a0\u200b\ufeff",
    "it's I'LL we'Ve 12345 3.14 1,000 $5 ~/a_b-c.d?e=f&g#h",
    "",
]


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_llama_cpp_tokenizes_normalised_text_as_tokenizers_does(
    tiny_model: Path, text: str
) -> None:
    normal = unicodedata.normalize("NFC", text)
    weights = Weights(tiny_model, gpu_layers=0)
    expected = train_tokenizer().encode(text, add_special_tokens=False).ids
    assert weights.tokenize(normal, control=False) == expected
    assert b"".join(map(weights.piece, expected)).decode() == normal
    weights.close()


def test_turn_end_is_a_control_token_that_ends_generation(tiny_model: Path) -> None:
    weights = Weights(tiny_model, gpu_layers=0)
    (token,) = weights.tokenize(TURN_END, control=True)
    assert weights.ends_turn(token)
    assert len(weights.tokenize(TURN_END, control=False)) > 1
    weights.close()


def test_model_repeats_the_last_user_turn_to_its_end(tiny_model: Path) -> None:
    engine = LlamaEngine.load(tiny_model, threads=1)
    text = distinct_text(700) + ".\nAnd a second line: café, 👍🏽!"
    earlier = [Message("user", "Hello."), Message("assistant", "Yes?")]
    answer = "".join(engine.stream([*earlier, Message("user", text)], Sampling(max_tokens=900)))
    assert answer == text
    engine.close()


def test_model_is_built_the_same_each_time_within_seconds(tiny_model: Path, tmp_path: Path) -> None:
    started = time.monotonic()
    write_tiny_model(tmp_path / "again.gguf")
    assert time.monotonic() - started < 20
    assert (tmp_path / "again.gguf").read_bytes() == tiny_model.read_bytes()
