"""A look at the canary leaves an entry in the log, and one in the audit where it acted."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from bot.jobs.canary_watch import CanaryWatch
from bot.models.registry import Registry
from bot.records.audit import BOT, Act, Audit
from bot.records.database import Database
from tests.models.test_canary_votes import TABLE, Voters, registry, voters

__all__ = ["registry", "voters"]

MOMENT = "2026-11-20T12:00:00+00:00"


def acts(database: Database) -> list[Act]:
    return [Act(act.actor, act.action, act.subject) for act in Audit(database).newest()]


def test_what_it_did_is_in_the_audit_log_once(
    database: Database, registry: Registry, voters: Voters
) -> None:
    voters.vote("old", up=10, down=10)
    voters.vote("new", up=20, down=0)
    watch = CanaryWatch(database, registry, TABLE)
    watch.due(MOMENT)
    watch.due(MOMENT)
    assert registry.serving().version == registry.version("new")
    assert acts(database) == [Act(BOT, "canary promoted", "new")]


def test_canary_that_cannot_be_let_answer_everybody_is_told_and_tried_again(
    database: Database,
    registry: Registry,
    voters: Voters,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    voters.vote("old", up=10, down=10)
    voters.vote("new", up=20, down=0)
    (tmp_path / "new.gguf").unlink()
    with caplog.at_level(logging.ERROR):
        CanaryWatch(database, registry, TABLE).due(MOMENT)
    assert "could not be judged" in caplog.text
    assert registry.serving().canary is not None
    assert acts(database) == []
