"""What docs/llamaindex.md shows is accepted by the settings, and its program runs."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from bot.domain.settings import Settings
from indexer.index import open_index

PAGE = (Path(__file__).parents[1] / "docs" / "llamaindex.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_tables_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEI_TOKEN", "Bearer x")
    settings = Settings.model_validate(tomllib.loads("\n".join(blocks("toml"))))
    (postprocessor,) = settings.index.postprocessors
    assert postprocessor.arguments["auth_token"].get_secret_value() == "Bearer x"
    assert settings.index.retrievers[0].audience == ("slack_channel:C024BE91L",)
    assert settings.model.pinned_by == "[model] llm"


def test_the_program_answers(
    tmp_path: Path,
    cache_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "leave.md").write_text("# Leave\n\nA sabbatical takes six weeks.\n")
    (tmp_path / "lorebot.toml").write_text(
        f'cache_dir = "{cache_dir}"\n'
        '[[sources]]\nname = "docs"\npath = "docs"\naudience = "public"\n'
        '[model.llm]\nclass = "tests.serving.test_foreign:Saying"\n'
        'arguments = {words = ["Six ", "weeks [1]."]}\n'
    )
    monkeypatch.chdir(tmp_path)
    with open_index(Settings()) as index:
        index.sync()
    (program,) = blocks("python")
    exec(compile(program, "docs/llamaindex.md", "exec"), {})
    assert capsys.readouterr().out == "Six weeks [1].\n"
