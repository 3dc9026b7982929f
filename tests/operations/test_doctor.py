"""Misconfigurations planted for real: real files, ports, databases and servers that refuse."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.domain.settings import Settings
from bot.operations.doctor.examination import CHECKS, examine
from bot.operations.doctor.machine import disk
from bot.records.database import Database
from bot.workspace import Workspace
from indexer.index import open_index, open_sources
from tests.deployment.examined import (
    Tables,
    one_wrong,
    settings,
    sound,
    with_source,
    workspace,
    wrongs,
)
from tests.services.weaviate_standin import WeaviateStandIn

__all__ = ["sound", "workspace"]

HUB = """[[sources]]
kind = "llamahub"
name = "wiki"
reader = "a:B"
audience = "public"
"""


def test_nothing_is_wrong_with_a_sound_installation(sound: Tables) -> None:
    found = list(examine(settings(sound)))
    assert [finding for finding in found if not finding.ok] == []
    assert {finding.check for finding in found} >= set(CHECKS) - {"secrets", "ports"}
    assert not (sound["data_dir"] / "records.sqlite").exists()  # looking makes nothing


def test_a_sound_installation_stays_so_once_it_is_used(sound: Tables) -> None:
    given = settings(sound)
    with open_index(given) as index:
        index.sync()
    Database(given.records_url).close()
    assert wrongs(given) == []


# The machine


def test_a_data_folder_that_is_a_file_is_named(sound: Tables, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = one_wrong(Settings(**(sound | {"data_dir": tmp_path / "file"})), "folders")
    assert "file cannot be written" in found.said
    assert "LOREBOT_DATA_DIR" in found.mend


def test_a_disk_that_is_nearly_full_is_named(sound: Tables) -> None:
    (found,) = disk(settings(sound), megabytes=2**40)
    assert not found.ok
    assert "MB are free" in found.said
    assert "Make room" in found.mend


def test_a_port_that_somebody_else_has_is_named(sound: Tables) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        found = one_wrong(settings(sound, monitor={"listen": address}), "ports")
    assert address in found.said
    assert "[monitor] listen" in found.mend


def test_a_port_that_a_program_has_which_speaks_no_http_is_named(sound: Tables) -> None:
    with speaking(b"SSH-2.0-OpenSSH_9.2\r\n") as address:
        found = one_wrong(settings(sound, monitor={"listen": address}), "ports")
    assert found.said == f"Another program listens at {address}."
    assert "[monitor] listen" in found.mend


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ('[records]\nurl = "postgresql+psycopg://a:hush-1@db/x"', "[records] url"),
        ('[records]\nurl = "postgresql+psycopg://a@db/x?password=hush-1"', "[records] url"),
        (f'{HUB}arguments = {{ integration_token = "hush-1" }}', "integration_token"),
        (f'{HUB}load = {{ login = {{ ApiKey = "hush-1" }} }}', "ApiKey"),
        (f'{HUB}arguments = {{ passwords = ["hush-1"] }}', "passwords"),
    ],
)
def test_a_secret_of_records_and_readers_that_others_may_read_is_named(
    sound: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str, named: str
) -> None:
    file = tmp_path / "lorebot.toml"
    file.write_text(written)
    monkeypatch.setenv("LOREBOT_CONFIG", str(file))
    found = one_wrong(settings(sound), "secrets")
    assert named in found.said
    assert "hush-1" not in found.said


def test_what_is_no_secret_or_names_one_elsewhere_may_be_read_by_all(
    sound: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "lorebot.toml"
    written = 'arguments = { token = { env = "T" }, space = "hush" }\nload = { limit = 3 }\n'
    file.write_text(f'{HUB}{written}[records]\nurl = "postgresql+psycopg://a@db/x"\n')
    monkeypatch.setenv("LOREBOT_CONFIG", str(file))
    assert wrongs(settings(sound), "secrets") == []


def test_a_secret_that_others_may_read_is_named(
    sound: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "lorebot.toml"
    file.write_text('[slack]\nbot_token = "xoxb-1"\n')
    monkeypatch.setenv("LOREBOT_CONFIG", str(file))
    file.chmod(0o644)
    found = one_wrong(settings(sound), "secrets")
    assert "bot_token" in found.said
    assert "xoxb-1" not in found.said
    assert "chmod 600" in found.mend
    file.chmod(0o600)
    assert wrongs(settings(sound), "secrets") == []


# Documents


def test_a_missing_folder_is_named(sound: Tables, tmp_path: Path) -> None:
    found = one_wrong(with_source(sound, path=tmp_path / "nowhere"), "sources")
    assert "nowhere does not exist" in found.said
    assert "`path`" in found.mend


def test_a_file_in_place_of_a_folder_is_named(sound: Tables, tmp_path: Path) -> None:
    path = tmp_path / "documents" / "lunch.md"
    assert "not a folder" in one_wrong(with_source(sound, path=path), "sources").said


def test_an_empty_folder_is_named(sound: Tables, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "is empty" in one_wrong(with_source(sound, path=tmp_path / "empty"), "sources").said


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list every folder")
def test_a_folder_that_may_not_be_listed_is_named(sound: Tables, tmp_path: Path) -> None:
    (tmp_path / "documents" / "private").mkdir(mode=0)
    assert "cannot be listed" in one_wrong(settings(sound), "sources").said


def test_no_source_at_all_is_named(sound: Tables) -> None:
    found = one_wrong(Settings(**(sound | {"sources": []})), "sources")
    assert "[[sources]]" in found.mend


def test_a_reader_that_is_not_installed_is_named(sound: Tables) -> None:
    hub = {"kind": "llamahub", "name": "wiki", "reader": "no_such_module:Reader"}
    given = Settings(**(sound | {"sources": [hub | {"audience": "public"}]}))
    assert "no_such_module" in one_wrong(given, "sources").said


def test_a_source_for_nobody_is_named(sound: Tables) -> None:
    found = one_wrong(with_source(sound, audience=[]), "audiences")
    assert "names no audience" in found.said
    found = one_wrong(with_source(sound, audience=["group:hr"]), "audiences")
    assert "nobody in Slack holds a group" in found.said
    assert "slack_channel:" in found.mend


# What is kept


def test_a_wrong_key_of_weaviate_is_named(sound: Tables) -> None:
    with WeaviateStandIn(api_key="right") as standin:
        store = {"kind": "weaviate", "url": standin.url, "grpc_port": standin.grpc_port}
        found = one_wrong(settings(sound, store=store | {"api_key": "wrong"}), "index")
    assert "does not accept the API key" in found.said
    assert "api_key" in found.mend
    assert "wrong" not in found.said


def test_a_weaviate_that_is_away_is_named(sound: Tables) -> None:
    store = {"kind": "weaviate", "url": f"http://127.0.0.1:{free_port()}"}
    assert "cannot be reached" in one_wrong(settings(sound, store=store), "index").said


def test_a_slack_that_is_away_is_not_the_tokens_fault(sound: Tables) -> None:
    address = f"http://127.0.0.1:{free_port()}/api/"
    found = one_wrong(settings(sound, slack={"api_url": address}), "slack")
    assert found.said.startswith("Slack cannot be reached (Connection refused).")
    assert f"Let this machine reach {address}" in found.mend
    assert "Paste" not in found.mend


@pytest.mark.parametrize(
    ("fault", "advice"),
    [
        ({"error": "internal_error"}, "Try again"),
        ({"error": "ratelimited"}, "Try again"),
        ({"error": "invalid_auth"}, "Paste"),
        ({"error": "account_inactive"}, "Paste"),
    ],
)
@pytest.mark.parametrize("method", ["auth.test", "apps.connections.open"])
def test_what_slack_answers_decides_the_advice(
    sound: Tables, workspace: Workspace, method: str, fault: dict[str, str], advice: str
) -> None:
    workspace.faults.clear()
    workspace.faults.add(method, **fault, times=10)
    assert one_wrong(settings(sound), "slack").mend.startswith(advice)
    workspace.faults.clear()


def test_a_damaged_index_is_named(sound: Tables) -> None:
    given = settings(sound)
    given.data_dir.mkdir()
    given.index_path.write_bytes(b"no database at all " * 1000)
    found = one_wrong(given, "index")
    assert "index.sqlite" in found.said
    assert "lorebot-index rebuild" in found.mend


def test_an_empty_index_is_named(sound: Tables) -> None:
    given = settings(sound)
    open_index(given).close()
    assert "holds no document" in one_wrong(given, "index").said


def test_a_source_that_failed_last_is_named(sound: Tables, tmp_path: Path) -> None:
    given = settings(sound)
    with open_index(given) as index:
        index.sync()
        (tmp_path / "documents" / "lunch.md").unlink()
        index.finish([index.apply(plan) for plan in index.plan(sources_of(given))])
    assert "docs could not be read" in one_wrong(given, "index").said


def test_a_worker_that_reads_no_more_is_named(sound: Tables) -> None:
    given = settings(sound, index={"worker": True})
    with open_index(given) as index:
        index.sync()
    journal = given.index_path.with_name("syncs.json")
    long_ago = (datetime.now(UTC) - timedelta(days=3)).isoformat()
    entries = json.loads(journal.read_text())
    journal.write_text(json.dumps({"docs": entries["docs"] | {"finished": long_ago}}))
    assert "lorebot worker" in one_wrong(given, "index").mend


def test_an_embedder_that_is_not_there_is_named(sound: Tables) -> None:
    given = settings(sound, index={"embedder": "/nowhere/embedder.gguf"})
    found = one_wrong(given, "embedder")
    assert "/nowhere/embedder.gguf" in found.said
    assert "[index] embedder" in found.mend


def test_a_postgres_that_is_away_is_named_without_its_password(sound: Tables) -> None:
    url = f"postgresql+psycopg://lorebot:hush@127.0.0.1:{free_port()}/lorebot"
    found = one_wrong(settings(sound, records={"url": url}), "records")
    assert "records and jobs cannot be opened" in found.said
    assert "refused" in found.said
    assert "hush" not in found.said
    assert "[records] url" in found.mend


def test_a_postgres_that_never_answers_is_named_in_seconds_and_asked_once(sound: Tables) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql+psycopg://lorebot@127.0.0.1:{silent.getsockname()[1]}/lorebot"
        before = time.monotonic()
        found = one_wrong(settings(sound, records={"url": url}), "records")
        assert time.monotonic() - before < 20
        assert "timeout" in found.said
        silent.accept()[0].close()
        silent.settimeout(0)
        with pytest.raises(BlockingIOError):
            silent.accept()


def test_a_model_that_the_records_cannot_name_is_theirs_to_mend(sound: Tables) -> None:
    url = f"postgresql+psycopg://lorebot@127.0.0.1:{free_port()}/lorebot"
    found = one_wrong(settings(sound, records={"url": url}), "model")
    assert "in the records" in found.said
    assert "--only records" in found.mend


def test_damaged_records_are_named(sound: Tables) -> None:
    given = settings(sound)
    Database(given.records_url).close()
    file = given.data_dir / "records.sqlite"
    file.write_bytes(file.read_bytes()[:4096] + b"\0" * 40_000)
    found = one_wrong(given, "records")
    assert "records.sqlite" in found.said
    assert "backup" in found.mend


def test_records_of_a_newer_version_are_named(sound: Tables) -> None:
    given = settings(sound)
    Database(given.records_url).close()
    with closing(sqlite3.connect(given.data_dir / "records.sqlite")) as records, records:
        records.execute("UPDATE alembic_version SET version_num = '9999'")
    found = one_wrong(given, "records")
    assert "newer Lorebot" in found.said
    assert "Install that version" in found.mend


# The model


def test_a_model_that_is_not_there_is_named(sound: Tables) -> None:
    found = one_wrong(settings(sound, model={"path": "/nowhere/model.gguf"}), "model")
    assert "no model file" in found.said
    assert "[model] path" in found.mend


def test_a_truncated_model_is_named(sound: Tables, tmp_path: Path, tiny_model: Path) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(tiny_model.read_bytes()[: tiny_model.stat().st_size * 2 // 3])
    found = one_wrong(settings(sound, model={"path": cut}), "model")
    assert "cut.gguf" in found.said
    assert "fetch the file again" in found.mend


def test_a_whole_model_is_well(sound: Tables, tiny_model: Path) -> None:
    given = settings(sound, model={"path": tiny_model, "context_tokens": 512})
    assert wrongs(given, "model") == []


def test_a_models_server_that_is_away_is_named(sound: Tables) -> None:
    given = settings(sound, model={"url": f"http://127.0.0.1:{free_port()}/v1"})
    found = one_wrong(given, "model")
    assert "cannot be reached" in found.said
    assert "[model] url" in found.mend


@contextmanager
def speaking(greeting: bytes) -> Iterator[str]:
    """The address of a program that says that to whoever comes, and listens to nobody."""

    def greet() -> None:
        with suppress(OSError):  # closed at the end
            while True:
                with server.accept()[0] as caller:
                    caller.sendall(greeting)
                    caller.shutdown(socket.SHUT_WR)
                    caller.recv(1000)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def free_port() -> int:
    """One where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def sources_of(given: Settings) -> list[Any]:
    return list(open_sources(given))
