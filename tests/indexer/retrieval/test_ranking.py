"""Twins are folded, the newer wins among near-equals, and every step can be explained."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from indexer.documents import Audience, Chunk, Passage
from indexer.retrieval.nodes import Candidate
from indexer.retrieval.ranking import Freshness, candidates, folded, freshened, reranked

NOW = datetime(2026, 6, 1, tzinfo=UTC)
PUBLIC = Audience.of("public")


def passage(
    name: str,
    text: str = "",
    *,
    score: float = 0.5,
    similarity: float = 0.5,
    lexical: float = 0.5,
    title: str = "Title",
    days: float | None = None,
) -> Passage:
    modified = None if days is None else NOW - timedelta(days=days)
    chunk = Chunk(name, 0, text or name)
    return Passage(chunk, title, PUBLIC, score, similarity, lexical, modified=modified)


def names(found: Sequence[Candidate]) -> list[str]:
    return [one.passage.chunk.document_id for one in found]


class TestExplanation:
    def test_ranks_are_those_of_the_legs(self) -> None:
        found = candidates(
            [
                passage("both", similarity=0.8, lexical=0.7),
                passage("words", similarity=0.1, lexical=1.0),
                passage("meaning", similarity=0.9, lexical=0.0),
            ],
            leg=2,
        )
        ranks = [(one.explanation.lexical_rank, one.explanation.dense_rank) for one in found]
        assert ranks == [(2, 2), (1, None), (None, 1)]

    def test_equals_share_a_rank(self) -> None:
        found = candidates([passage(name) for name in "abc"], leg=1)
        assert {one.explanation.dense_rank for one in found} == {1}


class TestFreshness:
    def order(self, *passages: Passage, weight: float = 0.02) -> list[str]:
        return names(freshened(candidates(passages, 30), Freshness(weight), NOW))

    def test_the_newer_of_near_equals_comes_first(self) -> None:
        old = passage("old", score=0.505, days=3000)
        assert self.order(old, passage("new", score=0.5, days=10)) == ["new", "old"]

    def test_age_outweighs_no_real_difference(self) -> None:
        old = passage("old", score=0.53, days=30_000)
        assert self.order(old, passage("new", score=0.5, days=0)) == ["old", "new"]

    def test_pages_without_a_date_stand_in_the_middle(self) -> None:
        found = self.order(passage("old", days=1000), passage("none"), passage("new", days=500))
        assert found == ["new", "none", "old"]

    def test_without_weight_nothing_moves(self) -> None:
        assert self.order(passage("old", days=9999), passage("new", days=0), weight=0) == [
            "old",
            "new",
        ]

    @pytest.mark.parametrize(
        ("modified", "bonus"),
        [
            (NOW, 0.01),
            (NOW - timedelta(days=730), 0.0),
            (NOW - timedelta(days=1460), -0.005),
            (NOW + timedelta(days=9999), 0.01),
            (datetime(2026, 6, 1), 0.01),  # without a time zone
            (None, 0.0),
        ],
    )
    def test_a_bonus_fades_by_half_lives(self, modified: datetime | None, bonus: float) -> None:
        assert Freshness().bonus(modified, NOW) == pytest.approx(bonus)


class TestFolding:
    def fold(self, *passages: Passage) -> list[Candidate]:
        return folded(candidates(passages, 30))

    def test_the_newest_stands_for_its_twins_in_the_place_of_the_best(self) -> None:
        (one, other) = self.fold(
            passage("old", "same  words", score=0.9, days=900),
            passage("between", score=0.8),
            passage("new", "same\nwords", score=0.3, days=1),
            passage("undated", " same words", score=0.2),
        )
        assert (one.passage.chunk.document_id, one.passage.score) == ("new", 0.9)
        assert one.explanation.folded == 2
        assert other.passage.chunk.document_id == "between"
        assert other.explanation.folded == 0

    def test_of_undated_twins_the_first_stays(self) -> None:
        assert names(self.fold(passage("a", "same"), passage("b", "same"))) == ["a"]

    def test_the_same_words_under_another_title_do_not_replace_the_best(self) -> None:
        france = passage("france", "Twenty days.", title="Leave in France", score=0.9, days=900)
        germany = passage("germany", "Twenty days.", title="Leave in Germany", score=0.7, days=1)
        assert names(self.fold(france, germany)) == ["france"]


class TestReranking:
    class Lengths:
        def scores(self, question: str, texts: Sequence[str]) -> list[float]:
            assert question == "asked"
            assert all(text.startswith("Title\n") for text in texts)
            return [len(text) / 100 for text in texts]

    def test_the_reranker_decides(self) -> None:
        found = candidates([passage("a", "short", score=1), passage("b", "longer", score=0)], 30)
        one, other = reranked(found, self.Lengths(), "asked")
        assert names([one, other]) == ["b", "a"]
        assert one.passage.score == one.explanation.reranked == 0.12
        assert (one.explanation.fused, other.explanation.fused) == (0, 1)

    def test_freshness_still_decides_between_near_equals(self) -> None:
        old, new = passage("old", "word", days=5000), passage("new", "words", days=1)
        found = freshened(candidates([old, new], 30), Freshness(0.1), NOW)
        assert names(reranked(found, self.Lengths(), "asked")) == ["new", "old"]
