"""Traces of the real bot in the local workspace: from Slack's event to the posted answer."""

from __future__ import annotations

import pytest

from bot.domain.settings import MonitorTable, Settings
from bot.telemetry.spans import trace_id_of
from bot.workspace import Workspace
from indexer.index import Index
from tests.scenarios.conftest import ALICE, BOT, HELP, answer_to, connected, shown

pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
from tests.services.otlp_receiver import attributes, otlp_receiver

MEALS = "How much may I spend on meals per day when I travel?"


def test_a_trace_goes_from_slacks_event_to_the_answer_without_its_content(
    settings: Settings, workspace: Workspace, handbook: Index
) -> None:
    with otlp_receiver() as receiver:
        monitor = MonitorTable(traces_url=receiver.url)
        traced = settings.model_copy(update={"monitor": monitor})
        with connected(traced, handbook, workspace):
            ts = workspace.post(ALICE, HELP, f"{BOT} {MEALS}")
            answer = answer_to(workspace, HELP, ts)
    spans = [one for one in receiver.spans if one.trace_id.hex() == trace_id_of(f"{HELP}:{ts}")]
    (root,) = [one for one in spans if one.name == "question"]
    above = {one.name for one in spans if one.parent_span_id == root.span_id}
    assert above >= {"receive", "reply", "route", "retrieve", "post"}
    told = attributes(root)
    assert told["lorebot.ending"] == "quoted"
    assert int(str(told["lorebot.citations"])) >= 1
    assert told["lorebot.answer"] in shown(answer)
    sent = b"".join(receiver.bodies)
    assert [word for word in ("meals", "travel", "EUR", "handbook") if word.encode() in sent] == []
    assert [token for token in (workspace.bot_token,) if token.encode() in sent] == []
