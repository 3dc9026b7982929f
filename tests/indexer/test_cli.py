"""The command line as a person meets it."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "Team docs"
    folder.mkdir()
    (folder / "leave.md").write_text("# Leave\nTwenty-seven days a year.")
    (folder / "pay.md").write_text("---\naudience: group:hr\n---\n# Pay\nOn the 25th.")
    return folder


@pytest.fixture
def run(tmp_path: Path, cache_dir: Path):  # type: ignore[no-untyped-def]
    """Runs ``lorebot-index`` in an empty working directory: exit code, stdout, stderr."""

    def run(*arguments: str, **environment: str) -> tuple[int, str, str]:
        program = "from indexer.cli import main; main()"
        finished = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env={
                "PYTHONPATH": str(Path(__file__).parents[2]),
                "PATH": "",
                "COLUMNS": "200",
                "LOREBOT_CACHE_DIR": str(cache_dir),
                **environment,
            },
        )
        assert "Traceback" not in finished.stderr
        return finished.returncode, finished.stdout, finished.stderr

    return run


def test_a_folder_is_indexed_and_searched_without_settings(run, folder: Path) -> None:  # type: ignore[no-untyped-def]
    code, out, err = run("sync", str(folder))
    assert code == 0, err
    assert "team-docs" in out
    code, out, _ = run("search", "how many days of leave", "--audience", "public", "--explain")
    assert code == 0
    assert "1. Leave" in out
    assert "team-docs:leave.md#0" in out
    assert "#1 1.000" in out
    assert "Pay" not in out
    _, out, _ = run("search", "pay", "--audience", "group:hr")
    assert "1. Pay" in out
    _, out, _ = run("search", "pay", "--audience", "group:other")
    assert "Nothing that this audience may read" in out
    code, out, _ = run("status")
    assert code == 0
    assert "all-MiniLM-L6-v2@" in out


def test_a_dry_run_indexes_nothing(run, folder: Path) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = run("sync", str(folder), "--dry-run")
    assert code == 0
    assert "would be" in out
    _, out, _ = run("search", "leave", "--audience", "public")
    assert "Nothing" in out


def test_unreadable_files_are_listed_and_the_rest_is_indexed(run, folder: Path) -> None:  # type: ignore[no-untyped-def]
    (folder / "bad [1].md").write_bytes(b"caf\xe9")
    code, _, err = run("sync", str(folder))
    assert code == 1
    assert "bad [1].md: it is not UTF-8" in err
    _, out, _ = run("search", "leave", "--audience", "public")
    assert "1. Leave" in out


def test_the_settings_file_names_sources(run, folder: Path) -> None:  # type: ignore[no-untyped-def]
    (folder.parent / "lorebot.toml").write_text(
        '[[sources]]\nkind = "files"\nname = "handbook"\npath = "Team docs"\naudience = "public"\n'
    )
    code, out, err = run("sync")
    assert code == 0, err
    assert "handbook" in out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("sync",), "There is nothing to index"),
        (("sync", "missing"), "missing does not exist"),
        (("status",), "no index at"),
        (("search", "x", "--audience", "public"), "no index at"),
    ],
)
def test_a_mistake_is_a_sentence(run, arguments: tuple[str, ...], sentence: str) -> None:  # type: ignore[no-untyped-def]
    code, _, err = run(*arguments)
    assert code == 1
    assert sentence in err


def test_an_unknown_audience_is_a_sentence(run, folder: Path) -> None:  # type: ignore[no-untyped-def]
    run("sync", str(folder))
    code, _, err = run("search", "x", "--audience", "everyone")
    assert code == 1
    assert "Unknown audience 'everyone'" in err


def test_a_search_without_an_audience_is_refused(run) -> None:  # type: ignore[no-untyped-def]
    code, _, err = run("search", "x")
    assert code == 2
    assert "--audience" in err


def test_a_damaged_index_is_a_sentence(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "index.sqlite").write_bytes(b"garbage" * 100)
    code, _, err = run("status", LOREBOT_DATA_DIR=str(tmp_path / "data"))
    assert code == 1
    assert "move it away" in err
