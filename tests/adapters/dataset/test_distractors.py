from adapters.dataset.distractors import Distractors
from adapters.dataset.examples import Source
from adapters.dataset.exchanges import REFUSAL, Exchange, Grounded
from bot.domain.values import Question
from indexer.documents import Audience, Chunk, Passage
from tests.adapters.team import PAGES, page


def exchange(good: Grounded, *seen: Passage, name: str = "x", channel: str = "C1") -> Exchange:
    readers = Audience.of("public", f"slack_channel:{channel}")
    question = Question("q", "What is paid for meals?", readers, "U1", channel, "1")
    return Exchange(name, question, Source.VOTE, good=good, seen=seen)


MEALS = Grounded(f"{PAGES['meals']} [1]", (page("meals"),))
POOL = [exchange(MEALS, *map(page, PAGES), name="pool")]


def chosen(one: Exchange, count: int = 3, seed: int = 0) -> list[str]:
    distractors = Distractors([one, *POOL], support=0.6, seed=seed)
    return [passage.title for passage in distractors.of(one, count)]


def test_what_was_found_for_the_question_misleads_before_anything_else() -> None:
    assert set(chosen(exchange(MEALS, page("vpn"), page("leave")), count=2)) == {"Vpn", "Leave"}


def test_others_fill_up_each_once() -> None:
    found = chosen(exchange(MEALS, page("vpn")), count=5)
    assert found[0] == "Vpn"
    assert len(set(found)) == 5
    assert "Meals" not in found


def test_no_other_part_of_a_cited_document_misleads() -> None:
    neighbour = page("meals", text="Receipts are due monthly.")
    neighbour = Passage(
        Chunk("handbook:meals.md", 7, neighbour.chunk.text), "Next", neighbour.audience, 0, 0, 0
    )
    assert "Next" not in chosen(exchange(MEALS, neighbour), count=9)


def test_a_passage_that_holds_the_answer_is_no_distractor() -> None:
    copy = page("copy", text=f"As the old handbook said: {PAGES['meals']}")
    assert "Copy" not in chosen(exchange(MEALS, copy), count=9)


def test_where_nothing_was_rightly_found_only_what_was_found_is_shown() -> None:
    assert chosen(exchange(REFUSAL, page("vpn")), count=9) == ["Vpn"]


def test_a_seed_decides_and_other_exchanges_decide_apart() -> None:
    first, second = exchange(MEALS, name="a"), exchange(MEALS, name="b")
    assert chosen(first) == chosen(first)
    assert len({tuple(chosen(one, seed=seed)) for one in (first, second) for seed in (0, 1)}) == 4


def test_none_may_be_wanted() -> None:
    assert chosen(exchange(MEALS, page("vpn")), count=0) == []
