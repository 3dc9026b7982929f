"""The stage as a whole, on real records: what its files hold, and what must never be in them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete

from adapters.dataset.build import build, dataset
from adapters.dataset.examples import (
    Example,
    Kind,
    LabelledAnswer,
    PreferencePair,
    Source,
    Split,
    Taught,
    read_items,
)
from adapters.errors import TooLittleData
from adapters.runs.manifest import Manifest
from adapters.settings import DatasetTable
from bot.domain import prompts
from bot.domain.values import Ending, Message, Question, Reason, Thumb
from bot.records.database import Database
from bot.records.forgetting import Forgetting
from bot.records.tables import VoteRow
from indexer.documents import Audience
from tests.adapters.team import OPEN, PAGES, Team, page
from tests.services.scripted_model import ScriptedModel

FILES = (
    "train", "validation", "held_out", "preferences", "preferences_validation", "thumbs",
    "thumbs_validation", "ai_feedback",
)  # fmt: skip

JUDGING = OPEN.model_copy(update={"ai_feedback": "preferences"})


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    database = Database(f"sqlite:///{tmp_path / 'records.sqlite'}")
    yield Team(database)
    database.close()


@pytest.fixture
def busy(team: Team) -> Team:
    """Ten pages thanked for, one answer corrected, one disliked, one rightly refused."""
    for topic in PAGES:
        team.thanked(topic, asker=f"U{len(topic)}")
    wrong = team.answered(
        "Supper in Lisbon?", "99 EUR [1].", [page("hotel")], others=[page("meals")]
    )
    team.vote(wrong, Thumb.DOWN)
    team.correct(wrong, "Meals on a journey are paid up to 45 EUR.", reason=Reason.WRONG)
    team.vote(team.answered("Parking a car?", "At gate 9 [1].", [page("parking")]), Thumb.DOWN)
    team.vote(team.answered("Who waters plants?", others=[page("vpn"), page("badge")]), Thumb.UP)
    team.vote(team.answered("hello!", "Hello!", ending=Ending.SMALL_TALK, at=1.5), Thumb.UP)
    return team


def everything(taught: Taught) -> list[Example | PreferencePair | LabelledAnswer]:
    parts = (taught.examples, taught.preferences, taught.thumbs)
    return [item for part in parts for each in part.values() for item in each] + [
        *taught.ai_feedback
    ]


def build_all(team: Team, table: DatasetTable = OPEN) -> list[Example]:
    taught, _ = build(table, team.material())
    return [example for each in taught.examples.values() for example in each]


def run(team: Team, tmp_path: Path, table: DatasetTable = OPEN, name: str = "run") -> Manifest:
    return dataset(table, team.material(), tmp_path / "decisions.jsonl", tmp_path / name)


def text_of(manifest: Manifest) -> str:
    return "".join(manifest.output(name).read_text() for name in manifest.outputs)


def test_every_kind_of_lesson_is_made_and_reported(busy: Team, tmp_path: Path) -> None:
    manifest = run(busy, tmp_path)
    assert set(manifest.outputs) == {*FILES, "report"}
    kinds = manifest.metrics["examples"]
    assert set(kinds) == {kind.value for kind in Kind if kind is not Kind.REPLAY}
    assert manifest.metrics["exchanges"] == 14
    assert manifest.metrics["sources"] == {"vote": 13, "correction": 1}
    report = manifest.output("report").read_text()
    assert "| answer | vote |" in report
    assert "14 exchanges are few" in report


def test_the_prompt_is_the_one_that_is_served(team: Team) -> None:
    team.thanked("meals", "What is paid for meals on a journey?")
    (example,) = [one for one in build_all(team) if one.kind is Kind.ANSWER]
    assert example.messages == tuple(
        prompts.answer_messages(
            Question("", "What is paid for meals on a journey?", Audience.of("public")),
            [page("meals")],
            language="English",
        )
    )
    assert example.completion == f"{PAGES['meals']} [1]"


def test_citations_carry_the_numbers_of_the_passages_shown(busy: Team) -> None:
    for example in build_all(busy):
        if example.kind is Kind.ANSWER:
            (number,) = numbers_of_the_quoted(example)
            assert example.completion.endswith(f"[{number}]")


def numbers_of_the_quoted(example: Example) -> list[int]:
    """Numbers of the passages in the prompt that hold the first words of the completion."""
    passages = example.messages[2].content.split("\n\n")
    begins = example.completion[:12]
    return [number for number, text in enumerate(passages, start=1) if begins in text]


def test_the_golden_passage_is_shown_in_the_share_of_the_settings(team: Team) -> None:
    for number in range(20):
        for topic in ("meals", "vpn"):
            team.thanked(topic, f"{'how what where when why'.split()[number % 5]} {number * 7919}?")
    table = OPEN.model_copy(update={"near_duplicate": 1.0, "held_out_share": 0.0})
    taught, _ = build(table, team.material())
    for split in (Split.TRAIN, Split.VALIDATION):
        kinds = [one.kind for one in taught.examples[split]]
        answers, refusals = kinds.count(Kind.ANSWER), kinds.count(Kind.REFUSAL)
        assert refusals == round(0.2 * (answers + refusals))
    for example in taught.examples[Split.TRAIN]:
        topic = "Meals" if PAGES["meals"][:9] in example.completion else ""
        if example.kind is Kind.REFUSAL:
            assert example.completion == prompts.NOTHING_FOUND
        elif topic and example.kind is Kind.ANSWER:
            assert PAGES["meals"] in example.messages[2].content


def test_what_is_held_out_keeps_its_golden_passages(busy: Team) -> None:
    table = OPEN.model_copy(update={"golden_present": 0.01, "held_out_share": 0.9})
    taught, _ = build(table, busy.material())
    answered = [one for one in taught.examples[Split.HELD_OUT] if one.kind is Kind.ANSWER]
    assert len(answered) >= 9
    assert all(numbers_of_the_quoted(example) for example in answered)


def test_a_correction_is_preferred_to_what_it_corrects(busy: Team) -> None:
    taught, _ = build(OPEN.model_copy(update={"held_out_share": 0.0}), busy.material())
    (pair,) = [one for each in taught.preferences.values() for one in each]
    assert pair.chosen.startswith("Meals on a journey are paid up to 45 EUR.")
    assert pair.rejected.startswith("99 EUR")
    assert pair.origin.source is Source.CORRECTION


def test_bare_thumbs_are_labels_and_corrected_answers_are_not(busy: Team) -> None:
    taught, _ = build(OPEN.model_copy(update={"held_out_share": 0.0}), busy.material())
    labels = [one for each in taught.thumbs.values() for one in each]
    assert {one.completion[:9] for one in labels if not one.label} == {"At gate 9"}
    assert sum(one.label for one in labels) == 11


def test_judgements_say_yes_of_what_was_thanked_for_and_no_of_distractors(busy: Team) -> None:
    for example in build_all(busy):
        probe = example.messages[-1].content
        if example.kind is Kind.RELEVANT and "meals" in example.origin.question:
            number = int(probe.rsplit(" ", 1)[1])
            shown = example.messages[2].content.split("\n\n")[number - 1]
            assert (PAGES["meals"] in shown) is (example.completion == prompts.YES)
        if example.kind is Kind.USEFUL:
            liked = not example.messages[-2].content.startswith(("99 EUR", "At gate 9"))
            assert (example.completion == prompts.YES) is liked


def test_small_talk_teaches_only_that_no_document_is_needed(busy: Team) -> None:
    (example,) = [one for one in build_all(busy) if one.origin.question == "hello!"]
    assert (example.kind, example.completion) == (Kind.RETRIEVE, prompts.NO)
    assert example.messages[-1] == Message("user", prompts.ROUTE)


def test_no_thread_is_in_two_splits_and_the_newest_are_held_out(busy: Team) -> None:
    taught, _ = build(OPEN, busy.material())
    seen: dict[Split, set[str]] = {
        split: {one.origin.thread for one in taught.examples[split]} for split in Split
    }
    assert all(seen.values())
    assert not seen[Split.TRAIN] & seen[Split.HELD_OUT]
    assert not seen[Split.TRAIN] & seen[Split.VALIDATION]
    assert not seen[Split.VALIDATION] & seen[Split.HELD_OUT]
    times = {
        split: [one.origin.asked_at for one in taught.examples[split] if one.origin.asked_at]
        for split in Split
    }
    assert max(times[Split.TRAIN]) < min(times[Split.HELD_OUT]) - timedelta(minutes=1)
    for by_split in (taught.preferences, taught.thumbs):
        for split, items in by_split.items():
            assert {one.origin.thread for one in items} <= seen[split]


def test_a_thread_stays_whole(team: Team) -> None:
    for topic in PAGES:
        team.thanked(topic, thread="1.0")
    taught, _ = build(OPEN, team.material())
    assert not taught.examples[Split.HELD_OUT]
    assert taught.examples[Split.TRAIN]


@pytest.mark.parametrize("audience", ["slack_channel:C0LEADS", "slack_user:U1", "group:board"])
def test_no_text_of_readers_who_did_not_opt_in_is_in_any_file(
    busy: Team, tmp_path: Path, audience: str
) -> None:
    secret = page(
        "bittern", audience, "slack_channel:C0HELP", text="Project Bittern is sold in May."
    )
    asked = busy.answered("What is Bittern?", "It is sold in May [1].", [secret])
    busy.vote(asked, Thumb.UP)
    beside = busy.answered("Ducks?", f"{PAGES['vpn']} [1]", [page("vpn")], others=[secret])
    busy.vote(beside, Thumb.UP)
    busy.thanked("meals", "Is Bittern hungry?", channel="C0OTHER")

    assert "Bittern" not in text_of(run(busy, tmp_path))
    opened = OPEN.model_copy(update={"opted_in": (*OPEN.opted_in, audience)})
    assert "Project Bittern is sold" in text_of(run(busy, tmp_path, opened, "opened"))


def test_distractors_are_what_the_readers_of_the_answer_may_see(busy: Team) -> None:
    for number in range(5):
        asked = f"Leaders only, number {number * 31}?"
        own = page(f"own{number}", "slack_channel:C0LEADS", text=f"Heron {number} flies alone.")
        busy.vote(
            busy.answered(asked, f"Heron {number} flies alone. [1]", [own], channel="C0LEADS"),
            Thumb.UP,
        )
    opened = OPEN.model_copy(update={"opted_in": (*OPEN.opted_in, "slack_channel:C0LEADS")})
    examples = build_all(busy, opened)
    assert any("Heron" in text_in(one) for one in examples if one.origin.channel == "C0LEADS")
    assert not any("Heron" in text_in(one) for one in examples if one.origin.channel == "C0HELP")


def text_in(example: Example) -> str:
    return "\n".join(message.content for message in example.messages)


def test_no_secret_and_no_personal_data_survive(team: Team, tmp_path: Path) -> None:
    private = ("AKIAQ7HZ5BX3TR2M4NKP", "jane.doe@example.com", "+49 30 901820")
    text = "Ask {1} or {2} for the key {0} today.".format(*private)
    shown = page("keys", text=text)
    thanked = team.answered(f"Who is {private[1]}?", f"{text} [1]", [shown], others=[page("vpn")])
    team.vote(thanked, Thumb.UP)
    wrong = team.answered("Which key opens?", f"None, says {private[1]} [1].", [shown])
    team.correct(wrong, text)
    table = OPEN.model_copy(update={"held_out_share": 0.0, "validation_share": 0.0})
    manifest = run(team, tmp_path, table)
    told = text_of(manifest)
    assert not [one for one in private if one in told]
    assert "Ask [e-mail] or [phone] for the key [secret] today." in told
    assert set(manifest.metrics["redacted"]) == {"secret", "e-mail", "phone"}


def test_what_was_withdrawn_forgotten_or_deleted_is_gone_from_the_next_dataset(
    busy: Team, tmp_path: Path
) -> None:
    withdrawn = busy.thanked("meals", "Zebra?", asker="U77")
    busy.thanked("hotel", "Yak?", asker="U99")
    gone = page("gone", text="Ibexes graze at noon.")
    busy.vote(busy.answered("Ibex?", "Ibexes graze at noon. [1]", [gone]), Thumb.UP)
    before = text_of(run(busy, tmp_path, name="before"))
    assert all(word in before for word in ("Zebra", "Yak", "Ibex"))

    with busy.database.session() as session:
        session.execute(delete(VoteRow).where(VoteRow.answer_id == withdrawn))
    Forgetting(busy.database).person("U99")
    del busy.documents["handbook:gone.md"]
    after = text_of(run(busy, tmp_path, name="after"))
    assert not [word for word in ("Zebra", "Yak", "Ibex") if word in after]


def test_what_was_forgotten_is_gone_even_where_too_little_is_left(
    team: Team, tmp_path: Path
) -> None:
    team.thanked("meals", "Zebra?", asker="U77")
    assert "Zebra" in text_of(run(team, tmp_path))
    Forgetting(team.database).person("U77")
    with pytest.raises(TooLittleData):
        run(team, tmp_path)
    assert list((tmp_path / "run").glob("*.jsonl")) == []


def test_the_same_question_answered_the_same_way_is_learned_once(team: Team) -> None:
    for asks in ("Do I get meals?", "do i get MEALS", "Do I get meals ?!"):
        team.thanked("meals", asks)
    _, figures = build(OPEN, team.material())
    assert figures["exchanges"] == 1
    assert figures["left_out"] == {"says the same as another": 2}


def test_the_same_seed_makes_the_same_files_and_another_seed_others(
    busy: Team, tmp_path: Path
) -> None:
    def hashes(name: str, seed: int) -> dict[str, str]:
        table = OPEN.model_copy(update={"seed": seed})
        manifest = run(busy, tmp_path, table, name)
        return {name: output.sha256 for name, output in manifest.outputs.items()}

    first = hashes("first", 0)
    assert hashes("second", 0) == first
    assert hashes("third", 1)["train"] != first["train"]


def test_an_unchanged_dataset_is_not_built_again_and_a_new_vote_is_noticed(
    busy: Team, tmp_path: Path
) -> None:
    first = run(busy, tmp_path)
    assert run(busy, tmp_path).run == first.run
    busy.thanked("meals", "And on Sundays?")
    assert run(busy, tmp_path).run != first.run


def test_another_process_finds_the_dataset_done(busy: Team, tmp_path: Path) -> None:
    """Hashes of sets differ between processes; what they hold does not."""
    first = run(busy, tmp_path)
    program = (
        "import sys; from pathlib import Path; from bot.records.database import Database\n"
        "from adapters.dataset.build import dataset\n"
        "from tests.adapters.team import OPEN, Team, page\n"
        "folder = Path(sys.argv[1])\n"
        "team = Team(Database(f'sqlite:///{folder}/records.sqlite'))\n"
        "for judged in team.material().judged:\n"
        "    for passage in judged.answer.passages: team.index(passage)\n"
        "print(dataset(OPEN, team.material(), folder / 'no', folder / 'run').run)"
    )
    for seed in ("1", "2", "3"):
        done = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[3],
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == first.run


def test_nothing_to_learn_from_is_explained(team: Team) -> None:
    team.thanked("meals", channel="C0OTHER")
    with pytest.raises(TooLittleData, match=r"1 asked where nobody opted in.*opted_in"):
        build(OPEN, team.material())


def test_one_person_who_asks_most_is_called_a_bias(team: Team) -> None:
    for topic in PAGES:
        team.thanked(topic, asker="U1" if topic != "vpn" else "U2")
    _, figures = build(OPEN, team.material())
    assert figures["largest_asker_share"] == 0.9
    assert any("one person asked 90%" in warning for warning in figures["warnings"])
    assert "U1" not in json.dumps(figures)


def test_a_model_judges_only_where_peoples_votes_are_few_and_apart_from_them(
    busy: Team, tmp_path: Path
) -> None:
    busy.answered("Anything on courses?", f"{PAGES['training']} [1]", [page("training")])
    judge = ScriptedModel("")
    few = JUDGING.model_copy(update={"votes_for_people_alone": 15})
    taught, figures = build(few, busy.material(judge))
    assert figures["ai_feedback"] == 1
    (label,) = taught.ai_feedback
    assert (label.origin.source, label.people, label.label) == (Source.RLAIF, 0, True)
    apart = [one for one in everything(taught) if one.origin.source is Source.RLAIF]
    assert apart == [label]
    enough = JUDGING.model_copy(update={"votes_for_people_alone": 14})
    assert build(enough, busy.material(judge))[0].ai_feedback == []
    manifest = dataset(few, busy.material(judge), tmp_path / "none", tmp_path / "run")
    assert list(read_items(manifest.output("ai_feedback"), LabelledAnswer)) == [label]


def test_no_model_is_asked_unless_the_settings_want_ai_feedback(busy: Team, tmp_path: Path) -> None:
    def never(prefix: Sequence[Message], probe: str) -> float:
        raise AssertionError(probe)

    busy.answered("Anything on courses?", f"{PAGES['training']} [1]", [page("training")])
    judge = ScriptedModel("", judge=never)
    manifest = dataset(OPEN, busy.material(judge), tmp_path / "none", tmp_path / "run")
    assert manifest.output("ai_feedback").read_text() == ""
    assert manifest.metrics["ai_feedback_share"] == 0
    assert (manifest.inputs["judge"], manifest.inputs["constitution"]) == ("", "")


def test_what_people_judged_is_not_judged_by_a_model(team: Team) -> None:
    for topic in ("vpn", "meals", "leave", "badge"):
        team.thanked(topic)
    asked, said, shown = "Where may I park a bicycle?", "At gate 9 [1].", [page("parking")]
    team.vote(team.answered(asked, said, shown), Thumb.DOWN)
    team.answered(asked, said, shown)
    team.answered(asked.lower(), f"{PAGES['parking']} [1]", shown)
    later = team.answered("Any language courses?", f"{PAGES['training']} [1]", [page("training")])
    whole = JUDGING.model_copy(update={"held_out_share": 0.0, "validation_share": 0.0})
    taught, figures = build(whole, team.material(ScriptedModel("")))
    assert [one.origin.question for one in taught.ai_feedback] == ["Any language courses?"]
    assert figures["ai_feedback_share"] == pytest.approx(1 / 6, abs=1e-4)
    assert figures["left_out"]["no votes"] == 2

    team.vote(later, Thumb.DOWN)
    taught, _ = build(whole, team.material(ScriptedModel("")))
    assert taught.ai_feedback == []
    labels = {one.origin.question: one.label for one in taught.thumbs[Split.TRAIN]}
    assert (labels["Any language courses?"], labels[asked]) == (False, False)


def test_the_share_of_ai_feedback_is_reported(team: Team, tmp_path: Path) -> None:
    team.thanked("vpn")
    for topic in ("meals", "leave", "badge"):
        team.answered(f"And {topic}?", f"{PAGES[topic]} [1]", [page(topic)])
    material = team.material(ScriptedModel(""))
    manifest = dataset(JUDGING, material, tmp_path / "none", tmp_path / "run")
    assert manifest.metrics["ai_feedback_share"] == 0.75
    report = manifest.output("report").read_text()
    assert "in a file of their own: 3, which are 75% of the thumbs to learn from." in report
    assert "**Mind:** 75% of the thumbs to learn from are a model's own." in report
    written = manifest.output("ai_feedback").read_text().splitlines()
    assert [json.loads(line)["origin"]["source"] for line in written] == ["rlaif"] * 3
