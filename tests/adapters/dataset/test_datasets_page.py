"""docs/datasets.md shows lines that the stages write, and that the product's readers read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import fields
from pathlib import Path

import pytest

from adapters.dataset.build import dataset
from adapters.dataset.examples import Example, LabelledAnswer, Origin, PreferencePair, read_items
from adapters.dataset.golden import GoldenQuestion, read_golden
from adapters.dataset.replay import Replay
from adapters.dataset.review import Decision, Decisions
from adapters.runs.manifest import Manifest
from adapters.settings import DatasetTable
from bot.domain.values import Reason, Thumb
from bot.records.database import Database
from tests.adapters.team import PAGES, Team, page
from tests.services.scripted_model import ScriptedModel

PAGE = Path(__file__).parents[3] / "docs" / "datasets.md"
ASKED = "What is paid for meals on a journey?"
SECTIONS = {
    section.split("\n", 1)[0].strip("` "): section
    for section in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]
}


def lines_of(section: str) -> list[str]:
    return [
        line
        for block in re.findall(r"```jsonl\n(.*?)```", SECTIONS[section], re.DOTALL)
        for line in block.splitlines()
    ]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Manifest]:
    """The dataset of a team that thanked, corrected, disliked, and left one answer unjudged."""
    folder = tmp_path_factory.mktemp("page")
    with closing(Database(f"sqlite:///{folder / 'records.sqlite'}")) as database:
        team = Team(database)
        team.thanked("meals", ASKED)
        wrong = team.answered("How much is a hotel?", "99 EUR [1].", [page("hotel")])
        team.correct(wrong, PAGES["hotel"], reason=Reason.WRONG)
        disliked = team.answered("Where may I park?", "At gate 9 [1].", [page("parking")])
        team.vote(disliked, Thumb.DOWN)
        team.answered("Any language courses?", f"{PAGES['training']} [1]", [page("training")])
        table = DatasetTable(
            opted_in=["slack_channel:C0HELP"], ai_feedback="preferences",
            validation_share=0, held_out_share=0, golden_present=1, distractors=1,
        )  # fmt: skip
        judging = team.material(ScriptedModel(""))
        yield dataset(table, judging, folder / "decisions.jsonl", folder / "dataset")


@pytest.mark.parametrize(
    ("section", "output"),
    [
        ("train.jsonl", "train"),
        ("preferences.jsonl", "preferences"),
        ("thumbs.jsonl", "thumbs"),
        ("ai_feedback.jsonl", "ai_feedback"),
    ],
)
def test_lines_of_the_page_are_what_the_dataset_stage_writes(
    written: Manifest, section: str, output: str
) -> None:
    lines = written.output(output).read_text(encoding="utf-8").splitlines()
    shown = lines_of(section)
    assert shown
    for line in shown:
        assert line in lines, "it writes:\n" + "\n".join(lines)


@pytest.mark.parametrize(
    ("section", "item"),
    [
        ("train.jsonl", Example),
        ("preferences.jsonl", PreferencePair),
        ("thumbs.jsonl", LabelledAnswer),
        ("ai_feedback.jsonl", LabelledAnswer),
    ],
)
def test_lines_of_the_page_are_read_by_the_stages(
    section: str, item: type[Example | PreferencePair | LabelledAnswer], tmp_path: Path
) -> None:
    path = tmp_path / section
    path.write_text("\n".join(lines_of(section)) + "\n", encoding="utf-8")
    assert len(list(read_items(path, item))) == len(lines_of(section))


def test_golden_questions_of_the_page_are_read(tmp_path: Path) -> None:
    path = tmp_path / "golden.jsonl"
    path.write_text("\n".join(lines_of("golden")), encoding="utf-8")
    read = list(read_golden(path))
    assert [one.model_dump(exclude_unset=True) for one in read] == [
        json.loads(line) for line in lines_of("golden")
    ]
    assert [bool(one.answer) for one in read] == [True, True, False]


def test_general_examples_of_the_page_are_read(tmp_path: Path) -> None:
    path = tmp_path / "replay.jsonl"
    path.write_text("\n".join(lines_of("replay")), encoding="utf-8")
    assert len(Replay(path, share=0.5, seed=0).beside(9)) == len(lines_of("replay")) == 2


def test_decisions_of_the_page_are_read(tmp_path: Path) -> None:
    path = tmp_path / "decisions.jsonl"
    path.write_text("\n".join(lines_of("decisions.jsonl")), encoding="utf-8")
    (struck,) = Decisions(path).struck
    assert struck == json.loads(lines_of("thumbs.jsonl")[0])["origin"]["exchange"]


@pytest.mark.parametrize(
    ("section", "names"),
    [
        ("golden", list(GoldenQuestion.model_fields)),
        ("train.jsonl", [each.name for each in fields(Example)]),
        ("preferences.jsonl", [each.name for each in fields(PreferencePair)]),
        ("thumbs.jsonl", [each.name for each in fields(LabelledAnswer)]),
        ("decisions.jsonl", [each.name for each in fields(Decision)]),
        ("origin", [each.name for each in fields(Origin)]),
    ],
)
def test_every_field_is_explained(section: str, names: list[str]) -> None:
    explained = re.findall(r"^\| `(\w+)` \|", SECTIONS[section], re.MULTILINE)
    assert sorted(explained) == sorted(names)


def test_every_line_of_the_page_is_in_a_section_that_is_tested() -> None:
    tested = {"golden", "replay", "train.jsonl", "preferences.jsonl", "thumbs.jsonl"}
    tested |= {"ai_feedback.jsonl", "decisions.jsonl"}
    assert {section for section in SECTIONS if lines_of(section)} == tested
