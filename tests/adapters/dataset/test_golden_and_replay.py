"""What people write into files: golden questions, and general examples against forgetting."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.dataset.build import Material, build
from adapters.dataset.examples import Example, Kind, Source, Split, Taught
from adapters.dataset.golden import read_golden
from adapters.dataset.replay import Replay
from adapters.errors import DatasetError
from adapters.settings import DatasetTable
from bot.domain.values import Question
from indexer.documents import Passage
from indexer.stores.base import IndexedDocument
from tests.adapters.team import OPEN, PAGES, page


def retrieve(question: Question) -> list[Passage]:
    """Every page, that of the topic first; a private one stands among them."""
    private = page("bittern", "slack_channel:C0LEADS", text="Project Bittern is sold in May.")
    return [private, *sorted(map(page, PAGES), key=lambda one: one.title not in question.text)]


DOCUMENTS: dict[str, IndexedDocument] = {}


def written(path: Path, lines: list[dict[str, object]]) -> Path:
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path


@pytest.fixture
def golden(tmp_path: Path) -> Path:
    lines: list[dict[str, object]] = [
        {"question": f"{topic.capitalize()}: what holds?", "answer": text}
        for topic, text in PAGES.items()
    ]
    lines += [
        {"question": "Who is the mayor?", "answer": ""},
        {"question": "When is Bittern sold?", "answer": "Project Bittern is sold in May."},
    ]
    return written(tmp_path / "golden.jsonl", lines)


@pytest.fixture
def general(tmp_path: Path) -> Path:
    return written(
        tmp_path / "general.jsonl",
        [
            {"messages": [{"role": "user", "content": f"{n}+1?"}], "completion": str(n + 1)}
            for n in range(200)
        ],
    )


def built(table: DatasetTable) -> Taught:
    return build(table, Material([], DOCUMENTS, retrieve))[0]


def of_kind(taught: Taught, kind: Kind) -> Iterator[tuple[Split, Example]]:
    for split, examples in taught.examples.items():
        yield from ((split, example) for example in examples if example.kind is kind)


def test_golden_questions_are_answered_from_the_passages_found_for_them(golden: Path) -> None:
    taught = built(OPEN.model_copy(update={"golden": golden, "golden_present": 1.0}))
    answers = [example for _, example in of_kind(taught, Kind.ANSWER)]
    assert len(answers) == len(PAGES)
    for example in answers:
        assert example.origin.source is Source.GOLDEN
        assert example.completion.partition(" [")[0] in PAGES.values()
    (refusal,) = [example for _, example in of_kind(taught, Kind.REFUSAL)]
    assert refusal.origin.question == "Who is the mayor?"


def test_a_golden_answer_that_was_not_found_or_is_private_is_left_out(golden: Path) -> None:
    material = Material([], DOCUMENTS, retrieve)
    _, figures = build(OPEN.model_copy(update={"golden": golden}), material)
    assert figures["left_out"] == {"retrieval failed, which no better wording mends": 1}


def test_golden_questions_are_dealt_into_the_same_splits_every_time(golden: Path) -> None:
    table = OPEN.model_copy(update={"golden": golden})
    first, second = built(table), built(table.model_copy(update={"seed": 5}))
    threads = [
        {split: {one.origin.thread for one in taught.examples[split]} for split in Split}
        for taught in (first, second)
    ]
    assert threads[0] == threads[1]
    assert all(threads[0].values())


def test_general_examples_make_up_their_share_and_never_come_twice(
    golden: Path, general: Path
) -> None:
    taught = built(
        OPEN.model_copy(update={"golden": golden, "replay": general, "replay_share": 0.25})
    )
    replayed = list(of_kind(taught, Kind.REPLAY))
    for split, examples in taught.examples.items():
        share = sum(of is split for of, _ in replayed) / len(examples)
        assert share == pytest.approx(0.25, abs=0.03)
    names = [example.origin.exchange for _, example in replayed]
    assert len(names) == len(set(names))


def test_general_examples_may_end_with_the_assistants_turn(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "1+1?"}, {"role": "assistant", "content": "2"}]
    path = written(tmp_path / "general.jsonl", [{"messages": turns}])
    (example,) = Replay(path, share=0.5, seed=0).beside(1)
    assert ([message.content for message in example.messages], example.completion) == (
        ["1+1?"],
        "2",
    )


@pytest.mark.parametrize(
    "line", ['{"messages": []}', '{"messages": [{"role": "king", "content": "x"}]}', "nonsense"]
)
def test_a_damaged_general_example_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "general.jsonl"
    path.write_text(f"\n{line}\n")
    with pytest.raises(DatasetError, match="line 2"):
        Replay(path, share=0.5, seed=0)


@pytest.mark.parametrize("line", ['{"question": "Why?"}', "nonsense"])
def test_a_damaged_golden_question_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "golden.jsonl"
    path.write_text(f"\n{line}\n")
    with pytest.raises(DatasetError, match=r"line 2: write"):
        list(read_golden(path))


def test_missing_files_are_explained(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="golden questions"):
        list(read_golden(tmp_path / "no"))
    with pytest.raises(DatasetError, match="general examples"):
        Replay(tmp_path / "no", share=0.5, seed=0)
