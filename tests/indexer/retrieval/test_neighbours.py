"""Chunks put together again say what the page says, under headings that are true."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.answering.excerpts import excerpts
from indexer.chunking.chunking import Chunker
from indexer.documents import Audience, Chunk, Document, Passage
from indexer.retrieval.neighbours import joined, merged
from indexer.retrieval.nodes import Candidate
from indexer.retrieval.ranking import candidates

PUBLIC = Audience.of("public")


def candidate(
    position: int,
    text: str = "",
    *,
    score: float = 1.0,
    document: str = "d",
    headers: tuple[str, ...] = (),
    audience: Audience = PUBLIC,
) -> Candidate:
    chunk = Chunk(document, position, text or f"text {position}", headers)
    passage = Passage(chunk, "Title", audience, score, score / 2, score / 3)
    return candidates([passage], 30)[0]


def texts(found: list[Candidate]) -> list[str]:
    return [one.passage.chunk.text for one in merged(found)]


class TestMerging:
    def test_neighbours_become_one_passage_in_reading_order(self) -> None:
        (one,) = merged([candidate(5, score=0.9), candidate(6, score=0.8), candidate(4, score=0.7)])
        assert one.passage.chunk == Chunk("d", 4, "text 4\n\ntext 5\n\ntext 6")
        assert (one.passage.score, one.passage.similarity) == (0.9, 0.45)
        assert one.explanation.merged == (4, 5, 6)

    def test_a_passage_is_three_chunks_at_most(self) -> None:
        found = [candidate(position) for position in (3, 1, 2, 4, 5)]
        assert texts(found) == ["text 2\n\ntext 3\n\ntext 4", "text 1", "text 5"]

    def test_what_is_far_less_relevant_stays_apart(self) -> None:
        assert texts([candidate(1), candidate(2, score=0.4)]) == ["text 1", "text 2"]

    def test_only_neighbours_in_one_document_belong_together(self) -> None:
        found = [candidate(1), candidate(3), candidate(2, document="other")]
        assert texts(found) == ["text 1", "text 3", "text 2"]

    def test_readers_are_never_mixed(self) -> None:
        found = [candidate(1), candidate(2, audience=Audience.of("public", "group:a"))]
        assert merged(found) == found


class TestJoining:
    def join(self, *chunks: tuple[str, tuple[str, ...]]) -> Chunk:
        return joined([Chunk("d", i + 7, *chunk) for i, chunk in enumerate(chunks)], "Title")

    def test_an_overlap_stays_once(self) -> None:
        one = ("First sentence. Second one is here.", ("A",))
        other = ("Second one is here. Third sentence.", ("A",))
        assert self.join(one, other) == Chunk(
            "d", 7, "First sentence. Second one is here. Third sentence.", ("A",)
        )

    @pytest.mark.parametrize("after", ["a cat", "is a category"])
    def test_what_only_looks_like_an_overlap_stays(self, after: str) -> None:
        assert self.join(("This is a cat", ()), (after, ())).text == f"This is a cat\n\n{after}"

    def test_headings_that_differ_become_text(self) -> None:
        found = self.join(("one", ("A", "B", "C")), ("two", ("A", "D")), ("## E\n\nthree", ("A",)))
        assert found.headers == ("A",)
        assert found.text == "# B › C\n\none\n\n# D\n\ntwo\n\n# A\n\n## E\n\nthree"


WORDS = st.sampled_from("leave days team train soup door key apple fig plum".split())
SENTENCE = st.lists(WORDS, min_size=1, max_size=12).map(lambda words: " ".join(words) + ".")


@st.composite
def pages(draw: st.DrawFn) -> str:
    """Every sentence is different, so that it is known where it stands."""
    lines: list[str] = []
    for number in range(draw(st.integers(1, 25))):
        match draw(st.sampled_from(["heading", "prose", "prose", "list", "table", "code"])):
            case "heading":
                lines.append(f"{'#' * draw(st.integers(1, 5))} Heading {number}")
            case "prose":
                found = draw(st.lists(SENTENCE, min_size=1, max_size=12))
                lines.append(" ".join(f"Is{number}x{i} {one}" for i, one in enumerate(found)))
            case "list":
                found = draw(st.lists(SENTENCE, min_size=1, max_size=9))
                lines.append("\n".join(f"- At{number}x{i} {one}" for i, one in enumerate(found)))
            case "table":
                rows = [f"| r{number}x{i} | value |" for i in range(draw(st.integers(1, 20)))]
                lines.append("\n".join(["| name | what |", "|---|---|", *rows]))
            case "code":
                rows = [f"call{number}x{i}()" for i in range(draw(st.integers(1, 20)))]
                lines.append("\n".join(["```python", *rows, "```"]))
    return "\n\n".join(lines)


def stated(passages: list[Passage]) -> set[tuple[str, str]]:
    """Every word of every piece, with the headings it stands under."""
    pieces = [piece for passage in passages for piece in excerpts(passage)]
    return {(piece.passage.context, word) for piece in pieces for word in piece.text.split()}


@given(text=pages(), size=st.integers(12, 60))
@settings(max_examples=150, deadline=None)
def test_whatever_is_joined_stands_under_its_own_headings(text: str, size: int) -> None:
    page = Document("d", "d", "Title", text, PUBLIC)
    chunks = Chunker(lambda piece: len(piece.split()), size).chunks(page)
    passages = [Passage(chunk, "Title", PUBLIC, 1, 1, 1) for chunk in chunks]
    for start in range(len(chunks)):
        three = passages[start : start + 3]
        whole = replace(three[0], chunk=joined([one.chunk for one in three], "Title"))
        assert stated([whole]) == stated(three)
        assert len(whole.chunk.text.split()) <= sum(
            len(one.chunk.text.split()) + len(one.chunk.headers) * 4 + 2 for one in three
        )
