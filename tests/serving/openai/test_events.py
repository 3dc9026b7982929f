"""Events are found however the bytes of a stream are cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.errors import ModelUnreachable
from bot.serving.openai.connection import LARGEST_EVENT, EventParser

STREAM = (
    ': ping\r\n\r\nevent: message\nid: 7\ndata: {"a": "\u2028 é 👩‍💻"}\n\n'
    "data:two\r\ndata: lines\r\n\r\n\n\nerror: it failed\r\rdata: [DONE]\n\ndata: unfinished\n"
)
EVENTS = ['{"a": "\u2028 é 👩‍💻"}', "two\nlines", "it failed", "[DONE]"]


@given(st.lists(st.integers(0, len(STREAM.encode()))))
def test_events_do_not_depend_on_how_the_stream_is_cut(cuts: list[int]) -> None:
    stream = STREAM.encode()
    places = [0, *sorted(cuts), len(stream)]
    parser = EventParser()
    parts = [stream[start:end] for start, end in pairwise(places)]
    found = [event.decode() for part in parts for event in parser.feed(part)]
    assert found == EVENTS


@pytest.mark.parametrize("part", [b"x" * 65536, b"data: " + b"x" * 65536 + b"\n"])
def test_endless_event_is_refused(part: bytes) -> None:
    parser = EventParser()
    for _ in range(LARGEST_EVENT // len(part)):
        assert not list(parser.feed(part))
    with pytest.raises(ModelUnreachable, match="endless"):
        list(parser.feed(part * 2))
