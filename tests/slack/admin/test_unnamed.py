"""Admins learn how much could not be read, never what it is called."""

from pathlib import Path

import pytest

from bot.records.audit import Act
from bot.slack.admin.unnamed import subject_for, without_names
from indexer.errors import SourceError
from indexer.settings import ExtractionTable
from indexer.settings import FilesSource as FilesTable
from indexer.sources.files import FilesSource


def test_a_folder_that_cannot_be_listed_is_not_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "Board: sale of (the) company cannot be listed (yet)"
    secret.mkdir()
    table = FilesTable(name="pages", path=tmp_path, audience=("public",))
    source = FilesSource(table, ExtractionTable(), tmp_path / "memory.db")
    with pytest.raises(SourceError) as raised:
        source._unlistable(PermissionError(13, "Permission denied", str(secret)))
    told = without_names(str(raised.value))
    assert told == (
        "Source pages: a folder cannot be listed (Permission denied); make it readable for this "
        "user."
    )


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (
            "Source pages yields pages:board/layoffs.md twice; every document needs its own id.",
            "Source pages yields one document twice; every document needs its own id.",
        ),
        (
            "Source wiki: a.b:C fails (FileNotFoundError: layoffs.docx); correct the source's "
            "arguments and load, or try again later.",
            "Source wiki: a.b:C fails; correct the source's arguments and load, or try again "
            "later.",
        ),
        (
            "Source pages would lose 12 documents, more than 30% of what is indexed.",
            "Source pages would lose 12 documents, more than 30% of what is indexed.",
        ),
    ],
)
def test_failures_keep_their_advice_and_lose_their_names(failure: str, told: str) -> None:
    assert without_names(failure) == told


@pytest.mark.parametrize(
    ("action", "subject", "told"),
    [
        ("forget", "document pages:board/layoffs.md", "document …"),
        ("forget document", "pages:board/layoffs.md", "a document"),
        ("reindex", "url https://wiki.example/layoffs", "url …"),
        ("reindex ended", "url https://wiki.example/layoffs", "url …"),
        ("reindex", "source pages", "source pages"),
        ("settings", "C0LEADS", "C0LEADS"),
    ],
)
def test_the_audit_log_names_documents_to_their_admin_alone(
    action: str, subject: str, told: str
) -> None:
    act = Act("U0ALICE", action, subject, "done")
    assert subject_for(act, "U0ALICE") == subject
    assert subject_for(act, "U0BOB") == told
