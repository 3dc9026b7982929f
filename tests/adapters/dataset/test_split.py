from datetime import timedelta
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.dataset.examples import Source, Split
from adapters.dataset.exchanges import REFUSAL, Exchange
from adapters.dataset.split import split_threads, without_repeats
from bot.domain.values import Question
from indexer.documents import Audience
from tests.adapters.team import BEGINNING

ORDER = (Split.TRAIN, Split.VALIDATION, Split.HELD_OUT)
SHARES = {"validation_share": 0.1, "held_out_share": 0.2}


def asked(thread: str, hour: int | None, text: str = "Why?", name: str = "") -> Exchange:
    return Exchange(
        id=name or f"{thread}/{hour}",
        question=Question("q", text, Audience.of("public"), "U1", "C1", thread),
        source=Source.VOTE,
        good=REFUSAL,
        asked_at=None if hour is None else BEGINNING + timedelta(hours=hour),
    )


EXCHANGES = st.lists(
    st.builds(
        asked,
        thread=st.sampled_from([f"t{n}" for n in range(12)]),
        hour=st.integers(0, 60) | st.none(),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=200, deadline=None)
@given(EXCHANGES)
def test_every_thread_is_in_one_split_and_later_splits_are_newer(exchanges: list[Exchange]) -> None:
    splits = split_threads(exchanges, **SHARES)
    assert splits.keys() == {exchange.thread for exchange in exchanges}
    newest = {
        thread: max(
            (one.asked_at for one in exchanges if one.thread == thread and one.asked_at),
            default=None,
        )
        for thread in splits
    }
    for one, at in newest.items():
        for other, later in newest.items():
            if at and later and at < later:
                assert ORDER.index(splits[one]) <= ORDER.index(splits[other])


@settings(max_examples=50, deadline=None)
@given(EXCHANGES, st.randoms())
def test_the_order_in_which_exchanges_come_changes_nothing(
    exchanges: list[Exchange], chance: Random
) -> None:
    shuffled = list(exchanges)
    chance.shuffle(shuffled)
    assert split_threads(shuffled, **SHARES) == split_threads(exchanges, **SHARES)


def test_each_split_gets_its_share() -> None:
    splits = list(split_threads([asked(f"t{n}", n) for n in range(50)], **SHARES).values())
    assert [splits.count(split) for split in ORDER] == [35, 5, 10]


def test_few_threads_are_trained_on_first() -> None:
    assert set(split_threads([asked("t1", 1)], **SHARES).values()) == {Split.TRAIN}
    two = split_threads([asked("t1", 1), asked("t2", 2)], **SHARES)
    assert two == {"C1:t1": Split.TRAIN, "C1:t2": Split.HELD_OUT}


def test_no_share_means_none() -> None:
    splits = split_threads(
        [asked(f"t{n}", n) for n in range(9)], validation_share=0.0, held_out_share=0.0
    )
    assert set(splits.values()) == {Split.TRAIN}


def test_what_is_trained_on_is_not_asked_again_in_the_exam() -> None:
    first = asked("t1", 1, "How many days of leave do I get?")
    again = asked("t2", 2, "how many days of leave do I get")
    new = asked("t3", 3, "Who repairs the printer?")
    splits = {"C1:t1": Split.TRAIN, "C1:t2": Split.HELD_OUT, "C1:t3": Split.HELD_OUT}
    assert without_repeats([first, again, new], splits, 0.8) == ([first, new], 1)
