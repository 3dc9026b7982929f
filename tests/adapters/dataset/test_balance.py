from adapters.dataset.examples import Example, Kind, Origin, Source
from adapters.dataset.supervised import balanced
from bot.domain.prompts import NO, YES


def judged(kind: Kind, completion: str, count: int) -> list[Example]:
    return [
        Example(kind, (), completion, Origin(f"{kind} {completion} {n}", Source.VOTE))
        for n in range(count)
    ]


def test_a_judgement_of_which_only_one_answer_is_known_is_not_taught() -> None:
    assert balanced(judged(Kind.RETRIEVE, YES, 30)) == []


def test_the_commoner_answer_comes_at_most_four_times_as_often() -> None:
    examples = judged(Kind.USEFUL, YES, 30) + judged(Kind.USEFUL, NO, 3)
    kept = [example.completion for example in balanced(examples)]
    assert (kept.count(YES), kept.count(NO)) == (12, 3)


def test_kinds_are_balanced_apart_and_answers_are_left_alone() -> None:
    examples = [
        *judged(Kind.ANSWER, "45 EUR", 9),
        *judged(Kind.RELEVANT, YES, 2),
        *judged(Kind.USEFUL, NO, 2),
        *judged(Kind.RELEVANT, NO, 3),
    ]
    assert balanced(examples) == [
        example for example in examples if example.kind is not Kind.USEFUL
    ]
