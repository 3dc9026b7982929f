"""How records, metrics and manifests name a model: the text never changes, and it reads back."""

from __future__ import annotations

import pytest

from bot.domain.values import Fingerprint, ModelIdentity, ModelLabel

SHA256 = "0123456789ab" + "cdef" * 13
OTHER = "0123456789ac" + "cdef" * 13


def test_label_is_the_name_and_twelve_digits() -> None:
    assert str(ModelIdentity("qwen.gguf", SHA256).label) == "qwen.gguf@0123456789ab"
    assert str(ModelLabel.of("tuned", SHA256)) == "tuned@0123456789ab"


@pytest.mark.parametrize("text", ["qwen.gguf@0123456789ab", "a@b.gguf@0123456789ab", "m at host@"])
def test_label_reads_back_as_it_was_written(text: str) -> None:
    label = ModelLabel.parse(text)
    assert label is not None
    assert str(label) == text


@pytest.mark.parametrize("text", ["", "qwen.gguf", "qwen.gguf@0123", f"qwen.gguf@{SHA256}"])
def test_other_text_is_no_label(text: str) -> None:
    assert ModelLabel.parse(text) is None


def test_label_matches_its_file_under_any_name_and_no_other_file() -> None:
    assert ModelLabel.of("before.gguf", SHA256).matches(SHA256)
    assert not ModelLabel.of("before.gguf", SHA256).matches(OTHER)


def test_model_of_unknown_weights_matches_nothing() -> None:
    remote = ModelIdentity("m at host", "").label
    assert str(remote) == "m at host@"
    assert not remote.matches(SHA256)
    assert not remote.matches("")


@pytest.mark.parametrize(
    ("identity", "text"),
    [
        (ModelIdentity("m.gguf", SHA256), SHA256),
        (ModelIdentity("m.gguf", SHA256, "tuned@0123456789ac"), f"{SHA256} tuned@0123456789ac"),
    ],
)
def test_fingerprint_reads_back_as_it_was_written(identity: ModelIdentity, text: str) -> None:
    assert str(identity.fingerprint) == text
    assert Fingerprint.parse(text) == identity.fingerprint
