from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.dataset.examples import (
    Example,
    Kind,
    LabelledAnswer,
    Origin,
    PreferencePair,
    Source,
    read_items,
    write_items,
)
from adapters.errors import AdaptersSettingsError, DatasetError
from adapters.settings import load
from bot.domain.values import Message

ORIGIN = Origin(
    "x", Source.VOTE, "Wie?", "C1:1", "C1", datetime(2026, 1, 5, tzinfo=UTC), ("public",)
)
MESSAGES = (Message("system", "Sei kurz."), Message("user", "Wie heißt\u2028du?\n"))


@pytest.mark.parametrize(
    "item",
    [
        Example(Kind.ANSWER, MESSAGES, "Lore [1]", ORIGIN),
        PreferencePair(MESSAGES, "Lore [1]", "Ich weiß nicht.", ORIGIN),
        LabelledAnswer(MESSAGES, "Lore [1]", False, ORIGIN, people=3),
    ],
)
def test_what_is_written_is_read_again(
    tmp_path: Path, item: Example | PreferencePair | LabelledAnswer
) -> None:
    path = write_items(tmp_path / "items.jsonl", [item, item])
    assert list(read_items(path, type(item))) == [item, item]
    assert len(path.read_bytes().splitlines()) == 2


def test_a_damaged_or_foreign_line_is_named(tmp_path: Path) -> None:
    pair = PreferencePair(MESSAGES, "Lore", "Ich", ORIGIN)
    path = write_items(tmp_path / "items.jsonl", [pair])
    with pytest.raises(DatasetError, match="line 1 is no Example"):
        list(read_items(path, Example))
    with pytest.raises(DatasetError, match="cannot be read"):
        list(read_items(tmp_path / "no", Example))


def test_settings_of_a_dataset_are_read_from_the_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "lorebot.toml"
    file.write_text('[adapters.dataset]\nopted_in = ["slack_channel:C0HELP"]\nseed = 3\n')
    settings = load()
    assert settings.adapters.dataset.opted_in == ("slack_channel:C0HELP",)
    assert settings.adapters.dataset.seed == 3
    assert settings.decisions_path == Path(".lorebot/adapters/decisions.jsonl")
    file.write_text('[adapters.dataset]\nopted_in = ["everybody"]\nsede = 3\n')
    with pytest.raises(AdaptersSettingsError) as caught:
        load()
    assert "everybody" in str(caught.value)
    assert "sede" in str(caught.value)
