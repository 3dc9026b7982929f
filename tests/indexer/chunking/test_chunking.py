"""Chunks keep structure, stay within the embedder's limit, and lose nothing."""

import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.chunking.chunking import Chunker, embedded_text
from indexer.documents import Audience, Chunk, Document
from indexer.embedding.embedding import LlamaCppEmbedding


def page(text: str, title: str = "Guide") -> Document:
    return Document("s:page.md", "s", title, text, Audience.of("public"))


def words(text: str) -> int:
    return len(text.split())


def chunks(text: str, most: int = 20, title: str = "Guide") -> list[Chunk]:
    return Chunker(words, most).chunks(page(text, title))


def texts(text: str, most: int = 20) -> list[str]:
    return [chunk.text for chunk in chunks(text, most)]


def test_headers_are_the_path_without_the_title() -> None:
    text = "# Guide\nIntro text.\n## Money\n### Trips\nGo by train.\n## Time\nDays off.\n"
    found = chunks(text, most=9)
    assert [(chunk.headers, chunk.text) for chunk in found] == [
        ((), "Intro text."),
        (("Money", "Trips"), "Go by train."),
        (("Time",), "Days off."),
    ]
    assert [chunk.id for chunk in found] == ["s:page.md#0", "s:page.md#1", "s:page.md#2"]


def test_neighbours_share_a_chunk_under_the_headings_they_share() -> None:
    long = "A sentence of nine words that stands here alone."
    found = chunks(
        "# Guide\n## Money\nIntro.\n### Trips\nTrain.\n### Meals\nSoup.\n"
        f"## Time\n### Leave\n{long}\n### Sick\n{long}\n",
        most=16,
    )
    assert [(chunk.headers, chunk.text) for chunk in found] == [
        (("Money",), "Intro.\n### Trips\nTrain.\n### Meals\nSoup."),
        (("Time", "Leave"), long),
        (("Time", "Sick"), long),
    ]


def test_sections_under_different_headings_never_share_a_chunk() -> None:
    found = chunks("## A\n### A one\nText.\n### A two\nText.\n## B\n### B one\nText.", most=12)
    assert [(chunk.headers, chunk.text) for chunk in found] == [
        (("A",), "### A one\nText.\n### A two\nText."),
        (("B", "B one"), "Text."),
    ]


def test_another_first_heading_than_the_title_stays_a_header() -> None:
    assert chunks("# Handbook\nText.")[0].headers == ("Handbook",)


def test_a_deeper_heading_may_come_first() -> None:
    found = chunks("### Deep\nText below.\n# Top\nText below.\n", most=4)
    assert [chunk.headers for chunk in found] == [("Deep",), ("Top",)]


def test_a_heading_with_nothing_below_is_text() -> None:
    found = chunks("# Guide\n## Be kind\n## Be bold\n", most=4)
    assert [(chunk.headers, chunk.text) for chunk in found] == [
        ((), "## Be kind"),
        ((), "## Be bold"),
    ]


def test_small_blocks_share_a_chunk_as_written() -> None:
    text = "First *paragraph*.\n\n\n- one\n- two\n\nLast."
    assert texts(text) == [text]


def test_a_long_table_repeats_its_head() -> None:
    rows = [f"| row{i} | value{i} |" for i in range(6)]
    found = texts("\n".join(["| k | v |", "|---|---|", *rows]), most=21)
    assert len(found) > 1
    assert all(piece.startswith("| k | v |\n|---|---|\n| row") for piece in found)
    assert [row for piece in found for row in piece.split("\n")[2:]] == rows


def test_long_code_repeats_its_fences() -> None:
    lines = [f"call_{i} with some words" for i in range(8)]
    found = texts("\n".join(["```py", *lines, "```"]))
    assert len(found) > 1
    assert all(piece.startswith("```py\n") and piece.endswith("\n```") for piece in found)
    assert [line for piece in found for line in piece.split("\n")[1:-1]] == lines


def test_code_without_a_closing_fence_is_kept() -> None:
    lines = [f"call_{i} with some words" for i in range(8)]
    found = texts("\n".join(["```py", *lines]))
    assert [line for piece in found for line in piece.split("\n")[1:]] == lines


@pytest.mark.parametrize("head", ["```" + "x " * 40, "| " + "x " * 40 + "|\n|---|"])
def test_a_head_that_is_too_long_to_repeat_is_not(head: str) -> None:
    found = texts(f"{head}\n| one line of words | and more |\n")
    assert " ".join(found).count("x") >= 40
    assert "one line of words" in found[-1]


def test_list_items_stay_whole_where_they_fit() -> None:
    items = [f"- item {i} has\n  a second line" for i in range(6)]
    found = texts("\n".join(items))
    assert len(found) > 1
    assert "\n".join(found).split("\n- ") == "\n".join(items).split("\n- ")
    assert all(piece.startswith("- item") for piece in found)


def test_long_prose_is_cut_between_sentences_with_an_overlap() -> None:
    sentences = [f"Sentence {name} stands alone." for name in "ABCDEFGHIJKLMNOP"]
    found = texts(" ".join(sentences), most=36)
    assert len(found) > 1
    assert all(piece.endswith("alone.") for piece in found)
    for one, other in pairwise(found):
        assert other.startswith(one[-len("Sentence A stands alone.") :])


def test_a_giant_word_is_cut_by_characters() -> None:
    found = Chunker(len, 50).chunks(page("x" * 100_000))
    assert len(found) > 2000
    assert all(len(chunk.text) <= 50 for chunk in found)


def test_text_is_composed_and_line_ends_are_unix() -> None:
    (only,) = texts("cafe\u0301\r\nau lait")
    assert only == "café\nau lait"


def test_an_empty_page_has_no_chunks() -> None:
    assert chunks("\n \n") == []


@pytest.mark.parametrize("most", [1, 2, 5])
def test_tiny_limits_end(most: int) -> None:
    assert texts("# A b c d e f\n\none two three four\n\n- five\n- six seven eight", most)


MARKDOWN = st.lists(
    st.sampled_from(
        [
            "# Heading one",
            "## Heading *two*",
            "- item a\n- item b\n  1. nested",
            "| a | b |\n|---|---|\n| 1 | 2 |",
            "```\ncode here\n```",
            "> quoted\n> text",
            "Plain sentence. Another one! A third?",
            "<div>\nhtml\n</div>",
            "[ref]: https://example.org",
            "---",
            "word " * 40,
            "    indented code",
            "Setext\n===",
        ]
    )
    | st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=40),
    max_size=12,
).map("\n\n".join)


@given(MARKDOWN, st.integers(8, 60))
@settings(max_examples=150, deadline=None)
def test_nothing_is_lost_and_positions_count(text: str, most: int) -> None:
    found = chunks(text, most)
    assert [chunk.position for chunk in found] == list(range(len(found)))
    assert all(chunk.text.strip() for chunk in found)
    kept = "".join("".join((*chunk.headers, chunk.text)) for chunk in found)
    for letter in set(unicodedata.normalize("NFC", text)):
        if letter.isalpha():
            assert letter in kept


@given(MARKDOWN)
@settings(max_examples=40, deadline=None)
def test_the_embedder_reads_every_chunk_whole(embedding: LlamaCppEmbedding, text: str) -> None:
    chunker = Chunker(embedding.count_tokens, embedding.max_tokens)
    document = page(text * 3)
    for chunk in chunker.chunks(document):
        assert embedding.count_tokens(embedded_text("Guide", chunk)) <= embedding.max_tokens


def test_the_identity_names_the_limit() -> None:
    assert Chunker(words, 20).identity != Chunker(words, 30).identity
