"""What a backup holds, and that a restore touches nothing until all of it has been checked."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from bot.domain.errors import BackupError, RecordsError
from bot.domain.settings import RecordsTable, Settings
from bot.operations.archive import opened
from bot.operations.backup import back_up
from bot.operations.in_use import alone, in_use
from bot.operations.restore import restore
from bot.records.answers import Answers
from bot.records.database import Database
from bot.records.forgetting import Forgetting
from bot.records.installations import Installations, TokenCipher, new_token_key
from tests.operations.conftest import settings_in
from tests.records.test_operations import INSTALLED
from tests.records.test_records import ASKED


@pytest.fixture
def archive(filled: Settings, tmp_path: Path) -> Path:
    path, _ = back_up(filled, tmp_path / "kept.zip")
    return path


def has_answer(settings: Settings) -> bool:
    with closing(Database(settings.records_url)) as database:
        return Answers(database).find(ASKED.id) is not None


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix not in (".lock", ".sqlite-shm", ".sqlite-wal")
    }


def rewritten(archive: Path, part: str, content: bytes | None) -> Path:
    """The archive with one part changed, or without it."""
    changed = archive.with_name("changed.zip")
    with ZipFile(archive) as old, ZipFile(changed, "w", ZIP_DEFLATED) as new:
        for name in old.namelist():
            if name != part:
                new.writestr(name, old.read(name))
        if content is not None:
            new.writestr(part, content)
    return changed


def test_backup_holds_what_cannot_be_rebuilt_and_nothing_else(archive: Path) -> None:
    assert archive.stat().st_mode & 0o777 == 0o600
    with opened(archive) as read:
        assert {part.name for part in read.manifest.parts} == {
            "records.sqlite",
            "jobs.sqlite",
            "adapters/decisions.jsonl",
            "adapters/default/dataset/manifest.json",
        }
        assert [model.name for model in read.manifest.models] == ["parrot"]


def test_models_come_along_where_they_are_asked_for(
    filled: Settings, tmp_path: Path, tiny_model: Path
) -> None:
    path, _ = back_up(filled, tmp_path / "with-models.zip", models=True)
    elsewhere = settings_in(tmp_path / "elsewhere")
    assert restore(elsewhere, path).missing_models == ()
    assert (elsewhere.models_dir / "parrot.gguf").read_bytes() == tiny_model.read_bytes()


def test_restored_installation_has_everything_of_the_backup(archive: Path, tmp_path: Path) -> None:
    elsewhere = settings_in(tmp_path / "elsewhere")
    restored = restore(elsewhere, archive)
    assert has_answer(elsewhere)
    assert (elsewhere.data_dir / "adapters" / "decisions.jsonl").exists()
    assert restored.missing_models == ("parrot",)
    assert restored.replaced is None
    assert not list(elsewhere.data_dir.glob(".restoring-*"))


def test_what_is_replaced_is_kept_beside(filled: Settings, archive: Path) -> None:
    later = ASKED.__class__("C1:9.9", "Ev9", "C1", "9.9", "U1", "And now?")
    with closing(Database(filled.records_url)) as database:
        Answers(database).ask(later)
    restored = restore(filled, archive, force=True)
    assert restored.replaced is not None
    with closing(Database(f"sqlite:///{restored.replaced / 'records.sqlite'}")) as database:
        assert Answers(database).asked(later.id) == later
    with closing(sqlite3.connect(filled.data_dir / "records.sqlite")) as records:
        assert records.execute("SELECT id FROM questions").fetchall() == [(ASKED.id,)]


def test_restore_over_records_is_refused_without_force(filled: Settings, archive: Path) -> None:
    before = contents(filled.data_dir)
    with pytest.raises(BackupError, match="--force"):
        restore(filled, archive)
    assert contents(filled.data_dir) == before


def test_restore_is_refused_while_a_bot_runs_and_a_bot_during_a_restore(
    filled: Settings, archive: Path
) -> None:
    with in_use(filled.data_dir), pytest.raises(BackupError, match="stop it first"):
        restore(filled, archive, force=True)
    with alone(filled.data_dir), pytest.raises(BackupError, match="being restored"):
        back_up(filled, archive.with_name("another.zip"))


@pytest.mark.parametrize("part", ["records.sqlite", "adapters/decisions.jsonl"])
@pytest.mark.parametrize("content", [b"something else", b"", None])
def test_changed_or_missing_part_is_refused_before_anything_is_touched(
    filled: Settings, archive: Path, part: str, content: bytes | None
) -> None:
    before = contents(filled.data_dir)
    with pytest.raises(BackupError, match="damaged"):
        restore(filled, rewritten(archive, part, content), force=True)
    assert contents(filled.data_dir) == before


def test_added_part_is_refused(filled: Settings, archive: Path) -> None:
    with pytest.raises(BackupError, match="were added"):
        restore(filled, rewritten(archive, "models/evil.gguf", b"GGUF"), force=True)


@pytest.mark.parametrize("name", ["../outside", "models/../../outside", "/etc/x", "lorebot.toml"])
def test_part_that_would_leave_the_folder_is_refused(
    filled: Settings, archive: Path, name: str
) -> None:
    with ZipFile(archive) as kept:
        manifest = kept.read("manifest.json").decode()
    evil = manifest.replace('"adapters/decisions.jsonl"', f'"{name}"')
    with pytest.raises(BackupError, match="no backup"):
        restore(filled, rewritten(archive, "manifest.json", evil.encode()), force=True)


def test_every_cut_of_an_archive_is_refused(filled: Settings, archive: Path) -> None:
    before, whole = contents(filled.data_dir), archive.read_bytes()
    for kept in range(0, len(whole), max(1, len(whole) // 12)):
        archive.write_bytes(whole[:kept])
        with pytest.raises(BackupError):
            restore(filled, archive, force=True)
    assert contents(filled.data_dir) == before


def extracted(archive: Path, to: Path) -> dict[str, bytes]:
    with opened(archive) as read:
        for part in read.manifest.parts:
            read.extract(part, to / part.name)
    return contents(to)


def headers(archive: bytes) -> list[int]:
    """Where a zip says how it is to be read: behind each signature, without names and dates."""
    found: list[int] = []
    for signature, size in ((b"PK\x03\x04", 30), (b"PK\x01\x02", 46), (b"PK\x05\x06", 22)):
        at = archive.find(signature)
        while at >= 0:
            found += range(at, min(at + size, len(archive)))
            at = archive.find(signature, at + 1)
    return found


def test_every_flipped_bit_of_the_headers_is_refused_or_changes_nothing(
    archive: Path, tmp_path: Path
) -> None:
    """An entry said to be encrypted or compressed otherwise, an offset out of the file, …"""
    whole = archive.read_bytes()
    parts = extracted(archive, tmp_path / "whole")
    flipped, refused = bytearray(whole), 0
    places = headers(whole)
    for place in places:
        bit = 1 << place % 8  # every field has several bytes, or several headers have it
        for mask in {bit, 1}:
            flipped[place] ^= mask
            archive.write_bytes(flipped)
            flipped[place] ^= mask
            try:
                assert extracted(archive, tmp_path / "flipped") == parts
            except BackupError:
                refused += 1
    assert refused > len(places) / 2


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param(8, b"\x01\x00", id="encrypted"),
        pytest.param(10, b"\x09\x00", id="unknown compression"),
        pytest.param(10, b"\x0c\x00", id="bz2, which it is not"),
        pytest.param(10, b"\x0e\x00", id="lzma, which it is not"),
        pytest.param(6, b"\xff\x00", id="newer zip"),
        pytest.param(42, b"\xff\xff\xff\x7f", id="far outside"),
    ],
)
def test_entry_that_is_said_to_be_another_is_refused_in_a_sentence(
    filled: Settings, archive: Path, field: int, value: bytes
) -> None:
    whole = bytearray(archive.read_bytes())
    entry = whole.find(b"PK\x01\x02") + field
    whole[entry : entry + len(value)] = value
    archive.write_bytes(whole)
    before = contents(filled.data_dir)
    with pytest.raises(BackupError):
        restore(filled, archive, force=True)
    assert contents(filled.data_dir) == before


def test_full_disk_is_not_called_a_damaged_backup(archive: Path, tmp_path: Path) -> None:
    with opened(archive) as read, pytest.raises(OSError, match="No space left"):
        read.extract(read.manifest.parts[-1], Path("/dev/full"))


def test_backup_of_a_newer_version_is_refused(filled: Settings, archive: Path) -> None:
    with ZipFile(archive) as kept:
        manifest = kept.read("manifest.json").decode()
    newer = manifest.replace('"revision": "0', '"revision": "9')
    with pytest.raises(BackupError, match="upgrade first"):
        restore(filled, rewritten(archive, "manifest.json", newer.encode()), force=True)


def test_backup_of_sqlite_is_not_restored_into_postgres(filled: Settings, archive: Path) -> None:
    server = RecordsTable.model_validate({"url": "postgresql+psycopg://u@127.0.0.1:1/x"})
    with pytest.raises(BackupError, match="Postgres"):
        restore(filled.model_copy(update={"records": server}), archive, force=True)


def test_no_archive_is_left_where_the_records_are_damaged(filled: Settings, tmp_path: Path) -> None:
    records = filled.data_dir / "records.sqlite"
    whole = records.read_bytes()
    records.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    with pytest.raises(RecordsError, match="could not be copied"):
        back_up(filled, tmp_path / "kept.zip")
    assert not list(tmp_path.glob("*kept*"))


def test_damaged_records_are_replaced_with_a_warning(filled: Settings, archive: Path) -> None:
    (filled.data_dir / "records.sqlite").write_bytes(b"no database at all" * 500)
    restored = restore(filled, archive, force=True)
    assert has_answer(filled)
    assert "--forgotten" in restored.warnings[0]


@pytest.mark.parametrize("name", ["backups", "backups.d", "2026.11"])
def test_a_folder_that_is_not_there_is_made_and_a_backup_written_into_it(
    filled: Settings, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / name
    first, _ = back_up(filled, folder)
    assert (first.parent, first.suffix) == (folder, ".zip")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in folder.iterdir()] == [first.name]
    with pytest.raises(BackupError, match="could not be written"):
        back_up(filled, tmp_path / "missing" / name)


def test_backup_without_records_or_over_a_file_is_refused(
    filled: Settings, archive: Path, tmp_path: Path
) -> None:
    with pytest.raises(BackupError, match="nothing to back up"):
        back_up(settings_in(tmp_path / "empty"), tmp_path / "new.zip")
    kept = archive.read_bytes()
    with pytest.raises(BackupError, match="exists"):
        back_up(filled, archive)
    assert archive.read_bytes() == kept


def test_neither_deleted_text_nor_a_token_is_in_the_backup(
    filled: Settings, tmp_path: Path
) -> None:
    """Searched byte by byte; the token of a workspace is there as its cipher alone."""
    with closing(Database(filled.records_url)) as database:
        Answers(database).ask(ASKED.__class__("C1:2.2", "Ev2", "C1", "2.2", "U2", "pink elephant"))
        Forgetting(database).person("U2")
        Installations(database, TokenCipher([new_token_key()])).save(INSTALLED)
    path, _ = back_up(filled, tmp_path / "new.zip")
    shutil.unpack_archive(path, tmp_path / "unpacked")
    everything = b"".join(contents(tmp_path / "unpacked").values())
    assert INSTALLED.team.encode() in everything
    assert INSTALLED.token.encode() not in everything
    assert b"pink elephant" not in everything
