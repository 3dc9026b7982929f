"""What Postgres' programs are told, and where: arguments are everybody's to read."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.records import postgres_dump

ADDRESS = "postgresql+psycopg://lore%40team{}@db.example:5433/lore"
PROGRAM = """#!{python}
import json, os, sys
with open({told!r}, "w") as file:
    json.dump([sys.argv[1:], dict(os.environ)], file)
"""


@dataclass(frozen=True)
class Told:
    arguments: list[str]
    environment: dict[str, str]


class PgDump:
    """A pg_dump that writes down what it is told."""

    def __init__(self, folder: Path) -> None:
        self._told = folder / "told.json"
        program = folder / "pg_dump"
        program.write_text(PROGRAM.format(python=sys.executable, told=str(self._told)))
        program.chmod(0o700)

    def told(self, url: str) -> Told:
        postgres_dump.dump(url, Path("/nowhere"))
        return Told(*json.loads(self._told.read_text()))


@pytest.fixture
def pg_dump(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PgDump:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("PGPASSWORD", raising=False)
    return PgDump(tmp_path)


@pytest.mark.parametrize(
    "url",
    [
        ADDRESS.format(":s%2Fecret") + "?sslmode=require",
        ADDRESS.format("") + "?password=s%2Fecret&sslmode=require",
        ADDRESS.format(":another") + "?sslmode=require&password=s%2Fecret",
    ],
)
def test_password_is_in_the_environment_and_in_no_argument(pg_dump: PgDump, url: str) -> None:
    told = pg_dump.told(url)
    assert told.environment["PGPASSWORD"] == "s/ecret"
    dbname = "--dbname=postgresql://lore%40team@db.example:5433/lore?sslmode=require"
    assert dbname in told.arguments
    assert not any("ecret" in argument or "another" in argument for argument in told.arguments)


def test_environment_that_the_bot_connects_with_is_passed_on(
    pg_dump: PgDump, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"PGSSLMODE": "verify-full", "PGSERVICE": "lore", "PGPASSWORD": "from outside"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    told = pg_dump.told(ADDRESS.format(""))
    assert given.items() <= told.environment.items()
    assert told.environment["PGCONNECT_TIMEOUT"] == "20"


def test_own_secrets_are_not_passed_on(pg_dump: PgDump, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOREBOT_SLACK_BOT_TOKEN", "xoxb-secret")
    told = pg_dump.told(ADDRESS.format(""))
    assert "xoxb-secret" not in json.dumps(told.environment)
