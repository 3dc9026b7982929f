import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import AliasChoices, BaseModel, Field, SecretStr

from adapters.errors import DatasetError, DiskFull, ManifestError, StageBusy
from adapters.runs.files import fingerprint
from adapters.runs.manifest import MANIFEST, Manifest, Run, Status, load, load_finished, run_stage


class Table(BaseModel):
    rounds: int = 3
    token: SecretStr = SecretStr("s3cret")


def shout(run: Run) -> None:
    """Work that leaves one output."""
    run.outputs["loud"] = run.folder / "loud.txt"
    run.outputs["loud"].write_text("HELLO")
    run.metrics["letters"] = 5


@pytest.fixture
def stage(tmp_path: Path) -> Callable[..., Manifest]:
    source = tmp_path / "input.txt"
    source.write_text("hello")

    def run(work: Callable[[Run], None] = shout, **given: object) -> Manifest:
        settings = given.pop("settings", Table())
        return run_stage(
            "shout",
            tmp_path / "run",
            settings=settings,  # type: ignore[arg-type]
            inputs={"text": source, "version": "1"},
            work=work,
            **given,  # type: ignore[arg-type]
        )

    return run


def never(run: Run) -> None:
    raise AssertionError("the work was done twice")


def test_a_manifest_tells_what_went_in_and_what_came_out(
    stage: Callable[..., Manifest], tmp_path: Path
) -> None:
    manifest = stage()
    assert manifest == load(tmp_path / "run")
    assert manifest.status is Status.FINISHED
    assert manifest.inputs == {"text": fingerprint(tmp_path / "input.txt"), "version": "1"}
    assert manifest.output("loud").read_text() == "HELLO"
    assert manifest.outputs["loud"].bytes == 5
    assert manifest.metrics == {"letters": 5}
    assert manifest.packages["numpy"]
    assert manifest.finished
    assert manifest.started <= manifest.finished
    assert "s3cret" not in (tmp_path / "run" / MANIFEST).read_text()


def test_what_is_done_is_not_done_again(stage: Callable[..., Manifest]) -> None:
    first = stage()
    assert stage(never) == first
    assert stage(again=True).run != first.run


@pytest.mark.parametrize("changed", ["input.txt", "run/loud.txt"])
def test_a_changed_input_or_output_is_worked_on_again(
    stage: Callable[..., Manifest], tmp_path: Path, changed: str
) -> None:
    first = stage()
    (tmp_path / changed).write_text("other")
    assert stage().run != first.run
    assert (tmp_path / "run" / "loud.txt").read_text() == "HELLO"


def test_other_settings_are_other_work(stage: Callable[..., Manifest]) -> None:
    assert stage().run != stage(settings=Table(rounds=4)).run


def test_settings_that_were_renamed_since_are_the_same_work(
    stage: Callable[..., Manifest], tmp_path: Path
) -> None:
    class Renamed(BaseModel):
        max_rounds: int = Field(default=3, validation_alias=AliasChoices("max_rounds", "rounds"))
        token: SecretStr = SecretStr("s3cret")
        is_loud: bool = True

    first = stage()
    assert "rounds" in load(tmp_path / "run").settings
    assert stage(never, settings=Renamed()) == first
    quiet = stage(settings=Renamed(is_loud=False))
    assert quiet.run != first.run
    assert stage(settings=Renamed(max_rounds=4)).run != first.run


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path; from adapters.runs.manifest import *\n"
        "def work(run):\n"
        "    (run.scratch / 'step').write_text('1'); os.kill(os.getpid(), signal.SIGKILL)\n"
        "run_stage('count', Path(sys.argv[1]), settings={'n': 2}, inputs={}, work=work)"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert load(tmp_path).status is Status.RUNNING

    def go_on(run: Run) -> None:
        assert run.resumed
        assert (run.scratch / "step").read_text() == "1"

    manifest = run_stage("count", tmp_path, settings={"n": 2}, inputs={}, work=go_on)
    assert manifest.status is Status.FINISHED
    assert not (tmp_path / "unfinished").exists()


def test_other_work_never_finds_what_a_failed_run_left(stage: Callable[..., Manifest]) -> None:
    def fail(run: Run) -> None:
        (run.scratch / "step").write_text("1")
        raise DatasetError("No votes yet; collect some.")

    def start_anew(run: Run) -> None:
        assert not run.resumed
        assert list(run.scratch.iterdir()) == []

    with pytest.raises(DatasetError):
        stage(fail)
    stage(start_anew, settings=Table(rounds=9))


def test_a_failure_is_noted_in_the_words_a_person_reads(
    stage: Callable[..., Manifest], tmp_path: Path
) -> None:
    def fail(run: Run) -> None:
        raise DatasetError("No votes yet; collect some.")

    def break_down(run: Run) -> None:
        raise ZeroDivisionError("private text")

    with pytest.raises(DatasetError):
        stage(fail)
    failed = load(tmp_path / "run")
    assert (failed.status, failed.reason) == (Status.FAILED, "No votes yet; collect some.")
    with pytest.raises(ZeroDivisionError):
        stage(break_down)
    assert load(tmp_path / "run").reason == "ZeroDivisionError"


def test_a_full_disk_is_explained(stage: Callable[..., Manifest], tmp_path: Path) -> None:
    def fill(run: Run) -> None:
        with Path("/dev/full").open("w") as full:
            full.write("x")

    with pytest.raises(DiskFull, match="free some space"):
        stage(fill)
    assert load(tmp_path / "run").reason.startswith("The disk of")


def test_two_runs_never_share_a_folder(stage: Callable[..., Manifest]) -> None:
    def meet(run: Run) -> None:
        with pytest.raises(StageBusy):
            stage(never)

    stage(meet)


def test_a_missing_input_is_named(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="'base' is missing"):
        run_stage("x", tmp_path, settings={}, inputs={"base": tmp_path / "no"}, work=never)


def test_only_a_finished_unchanged_run_of_the_stage_is_built_upon(
    stage: Callable[..., Manifest], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    with pytest.raises(ManifestError, match="run the stage first"):
        load_finished(folder, "shout")
    stage()
    assert load_finished(folder, "shout").stage == "shout"
    with pytest.raises(ManifestError, match="not of 'whisper'"):
        load_finished(folder, "whisper")
    (folder / "loud.txt").unlink()
    with pytest.raises(ManifestError, match="loud"):
        load_finished(folder, "shout")
    with pytest.raises(ManifestError, match="has no output"):
        load(folder).output("quiet")


def test_a_damaged_manifest_is_refused(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text('{"stage": ')
    with pytest.raises(ManifestError, match="cannot be read"):
        load(tmp_path)


def test_a_folders_fingerprint_tells_names_and_contents_apart(tmp_path: Path) -> None:
    prints = set()
    for name, text in (("a", "1"), ("b", "1"), ("a", "2"), ("sub/a", "1")):
        folder = tmp_path / str(len(prints))
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(text)
        prints.add(fingerprint(folder))
    assert len(prints) == 4


def test_the_code_that_ran_is_named(stage: Callable[..., Manifest]) -> None:
    git = shutil.which("git")
    root = Path(__file__).parents[3]
    if git is None or not (root / ".git").exists():
        pytest.skip("not a git checkout")
    head = subprocess.run([git, "rev-parse", "HEAD"], cwd=root, capture_output=True, check=True)
    assert stage().revision == head.stdout.decode().strip()
