"""The parts of the demo, and, where LOREBOT_TEST_DEMO is set, all of it (minutes)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from adapters.dataset.examples import Example, read_items
from adapters.demo.base import write_base
from adapters.demo.demo import run_demo, write_worse
from adapters.demo.pretraining import Lessons, pretrain
from adapters.demo.rooms import NAMES, rooms, write_pages
from adapters.errors import AdaptersError
from adapters.models.prompt_tokens import NOT_LEARNED, PromptTokenizer
from adapters.runs.display import Silent
from adapters.runs.manifest import Run, run_stage
from adapters.settings import AdaptersSettings
from bot.bootstrap.demo import SAMPLE
from tests.adapters import lessons

ROOT = Path(__file__).parents[3]
SEEN = "The room Heron costs nine euros an hour. The room Tern costs forty euros an hour."


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As it is built, before it is pretrained."""
    path = tmp_path_factory.mktemp("demo") / "base"
    write_base(path, SAMPLE)
    return path


class Watched(Silent):
    """Keeps what the bar says."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    @contextmanager
    def bar(self, title: str, total: int) -> Iterator[Watched]:
        yield self

    def move(self, done: int, note: str = "") -> None:
        self.notes.append(note)


def next_word(base: Path, text: str) -> str:
    import torch
    from transformers import AutoModelForCausalLM

    tokenizer = PromptTokenizer(base)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32).eval()
    with torch.no_grad():
        scores = model(torch.tensor([tokenizer.plain(text)])).logits[0, -1]
    word: str = tokenizer.library_tokenizer.decode([int(scores.argmax())])
    return word


@pytest.mark.parametrize(("room", "price"), [("Heron", " nine"), ("Tern", " forty")])
def test_base_copies_before_it_has_learned_anything(base: Path, room: str, price: str) -> None:
    assert next_word(base, f"{SEEN} The room {room} costs") == price


def test_pretraining_lowers_the_loss(base: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(base, tmp_path / "base")
    watched = Watched()
    pretrain(copy, SAMPLE, steps=8, seed=0, display=watched)
    losses = [float(note.removeprefix("loss ")) for note in watched.notes]
    assert sum(losses[-3:]) < sum(losses[:3])
    assert (copy / "model.safetensors").read_bytes() != (base / "model.safetensors").read_bytes()


def test_pretraining_never_tells_what_a_room_costs(base: Path) -> None:
    tokenizer = PromptTokenizer(base)
    drawn = Lessons(SAMPLE, tokenizer, seed=0)
    for _ in range(200):
        text = tokenizer.library_tokenizer.decode(drawn.row()["input_ids"])
        assert "euros an hour" not in text


def test_pretraining_draws_the_same_rows_for_the_same_seed(base: Path) -> None:
    one, other = (Lessons(SAMPLE, PromptTokenizer(base), seed=3) for _ in range(2))
    rows = [one.row() for _ in range(20)]
    assert rows == [other.row() for _ in range(20)]
    assert any(NOT_LEARNED in row["labels"] for row in rows)


def test_every_answer_stands_on_the_page_of_its_room(tmp_path: Path) -> None:
    known = rooms(len(NAMES))
    write_pages(tmp_path, known)
    pages = [page.read_text() for page in (tmp_path / "rooms").iterdir()]
    for room in known:
        assert sum(room.answer in page for page in pages) == 1
        assert room.answer in room.page
    assert len({room.question for room in known}) == len(known) == len(set(NAMES))


def test_worse_dataset_teaches_answers_of_other_questions(tmp_path: Path) -> None:
    items = lessons.examples(10)

    def work(run: Run) -> None:
        for name in ("train", "validation", "held_out"):
            run.outputs[name] = lessons.write(run.folder / name, items)["examples"]

    good = run_stage("dataset", tmp_path / "good", settings={}, inputs={}, work=work)
    worse = write_worse(good, tmp_path / "worse")
    learned = list(read_items(worse.output("train"), Example))
    assert sorted(each.completion for each in learned) == sorted(x.completion for x in items)
    assert [each.messages for each in learned] == [each.messages for each in items]
    assert [each.completion for each in learned] != [each.completion for each in items]
    assert worse.outputs["held_out"].sha256 == good.outputs["held_out"].sha256


def test_what_is_kept_overwrites_nothing(tmp_path: Path) -> None:
    with pytest.raises(AdaptersError, match="exists already"):
        run_demo(AdaptersSettings(), Silent(), tmp_path)


@pytest.mark.skipif("LOREBOT_TEST_DEMO" not in os.environ, reason="set LOREBOT_TEST_DEMO")
@pytest.mark.timeout(1800)
def test_demo_learns_promotes_refuses_and_rolls_back(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "adapters.cli.main", "demo", "--json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        check=True,
    )
    outcome = json.loads(told.stdout.splitlines()[-1])
    assert outcome["em_after"] > outcome["em_before"] + 0.3
    assert outcome["worse_refused"] is outcome["promoted"] is outcome["rolled_back"] is True
    assert outcome["seconds"]["train"] > 0
