from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.serving.text import TextPieces


def pieces(text: TextPieces, *data: bytes) -> list[str]:
    return [text.feed(part) for part in data]


def test_character_comes_whole_once_its_last_byte_is_there() -> None:
    first, second = "👍".encode()[:2], "👍".encode()[2:]
    assert pieces(TextPieces(), b"ok ", first, second) == ["ok ", "", "👍"]


def test_unfinished_character_at_the_end_is_left_out() -> None:
    text = TextPieces()
    assert text.feed(b"ok" + "é".encode()[:1]) == "ok"
    assert text.finish() == ""


def test_stop_string_across_pieces_is_never_shown() -> None:
    text = TextPieces(["\nUser:"])
    assert pieces(text, b"Yes.\nUs", b"er: next", b"more") == ["Yes.", "", ""]
    assert text.stopped
    assert text.finish() == ""


def test_withheld_beginning_of_a_stop_string_comes_when_it_goes_on_differently() -> None:
    assert pieces(TextPieces(["STOP"]), b"a ST", b"ART") == ["a ", "START"]


def test_withheld_beginning_of_a_stop_string_comes_at_the_end() -> None:
    text = TextPieces(["STOP"])
    assert text.feed(b"a STO") == "a "
    assert text.finish() == "STO"
    assert not text.stopped


@given(st.text(alphabet="abé👍", max_size=20), st.lists(st.integers(1, 4), max_size=40))
def test_pieces_are_the_text_before_the_first_stop_string(text: str, sizes: list[int]) -> None:
    stop = ("ab", "é👍b")
    data, shown = text.encode(), TextPieces(stop)
    joined = ""
    for size in [*sizes, len(data)]:
        joined += shown.feed(data[:size])
        data = data[size:]
    joined += shown.finish()
    cuts = [text.find(word) for word in stop if word in text]
    assert joined == text[: min(cuts, default=len(text))]
