"""The records' address: what is wrong with it is said, and none of its secrets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sqlalchemy import make_url

from bot.domain.database_address import connect_args, shown
from bot.domain.errors import BotSettingsError, RecordsError
from bot.domain.settings import RecordsTable, load
from bot.records.database import Database
from bot.records.inspection import probe
from bot.records.postgres_dump import dump

SERVER = "postgresql+psycopg://"
WRONG = {
    "a port that is no number": f"{SERVER}lorebot:hunter2@db:notaport/x",
    "a port that is none": f"{SERVER}lorebot:hunter2@db:99999/x",
    "half an IPv6 address": f"{SERVER}lorebot:hunter2@[::1/x",
    "no address": "hunter2",
    "an @ in the password": f"{SERVER}lorebot:hunter2@hunter2@db/x",
    "an @ and a : in the password": f"{SERVER}lorebot:hunter2@a:hunter2@db/x",
    "an @ and a / in the password": f"{SERVER}lorebot:hunter2@a/hunter2@db/x",
    "an @ and a ? in the password": f"{SERVER}lorebot:hunter2@a?hunter2@db/x",
}


@pytest.mark.parametrize("url", WRONG.values(), ids=WRONG)
def test_a_wrong_address_is_a_sentence_that_names_its_setting_and_quotes_nothing(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOREBOT_RECORDS_URL", url)
    with pytest.raises(
        BotSettingsError, match=r"records\.url: .*write|records\.url: .*%40"
    ) as said:
        load()
    assert "hunter2" not in str(said.value)
    for open_it in (Database, probe):
        with pytest.raises(RecordsError, match=r"\[records\] url") as caught:
            open_it(url)
        assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        f"{SERVER}lorebot:hunter2@127.0.0.1:1/x",
        f"{SERVER}lorebot@127.0.0.1:1/x?password=hunter2",
        f"{SERVER}lorebot:hunter2@127.0.0.1:1/x?password=hunter2&sslmode=disable",
    ],
)
def test_no_error_shows_the_password_wherever_the_address_holds_it(url: str) -> None:
    for open_it in (Database, probe):
        with pytest.raises(RecordsError, match=r"lorebot@127\.0\.0\.1:1/x") as caught:
            open_it(url)
        assert "hunter2" not in str(caught.value)


def test_an_address_is_shown_with_its_user_and_without_secrets() -> None:
    assert (
        shown(make_url(f"{SERVER}a%40b:pw@[::1]:5432/x?options=y")) == f"{SERVER}a%40b@[::1]:5432/x"
    )
    assert shown(make_url("sqlite:////var/records.sqlite")) == "sqlite:////var/records.sqlite"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        (f"{SERVER}lorebot@db/x?application_name=a", "lorebot:p%5B1@db/x?application_name=a"),
        (f"{SERVER}lorebot:@db/x", "lorebot:p%5B1@db/x"),
        (f"{SERVER}lorebot@team@db/x", "lorebot@team:p%5B1@db/x"),
        (f"{SERVER}lorebot:a[b@db/x", "lorebot:a[b@db/x"),
        (f"{SERVER}lorebot@db/x?password=b", "lorebot@db/x?password=b"),
        (f"{SERVER}lorebot:b@db/x?sslcert=/c@d", "lorebot:b@db/x?sslcert=/c@d"),
    ],
)
def test_the_password_of_its_own_setting_is_used_where_the_address_has_none(
    url: str, address: str
) -> None:
    table = RecordsTable.model_validate({"url": url, "password": "p[1"})
    assert table.address == f"{SERVER}{address}"


def test_postgres_is_waited_for_seconds_unless_the_address_says_otherwise() -> None:
    assert connect_args(make_url(f"{SERVER}db/x"))["connect_timeout"] == 10
    assert "connect_timeout" not in connect_args(make_url(f"{SERVER}db/x?connect_timeout=60"))
    assert connect_args(make_url("sqlite:///x")) == {}


@pytest.mark.parametrize("url", ["lorebot:hunter2@db/x", "lorebot@db/x?password=hunter2"])
def test_the_client_programs_get_the_password_where_nobody_else_sees_it(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "pg_dump"
    program.write_text(
        f'#!/bin/sh\necho "$@" > {tmp_path}/said\necho $PGPASSWORD > {tmp_path}/pw\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    dump(f"{SERVER}{url}", tmp_path / "dump")
    assert "--dbname=postgresql://lorebot@db/x " in (tmp_path / "said").read_text()
    assert (tmp_path / "pw").read_text() == "hunter2\n"
