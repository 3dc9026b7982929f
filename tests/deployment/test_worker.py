"""`lorebot worker` beside a bot: what it reads, the bot answers from; what admins ask, it does."""

from __future__ import annotations

import time
from pathlib import Path

from tests.deployment.fleet import Fleet
from tests.scenarios.conftest import ALICE, lorebot, shown

LIFT = "When is the lift inspected?"


def test_a_worker_keeps_the_index_for_a_bot(tmp_path: Path, cache_dir: Path) -> None:
    with Fleet("", tmp_path, cache_dir) as fleet:
        fleet.start(workers=("indexer",), bots=("one",))
        fleet.wait_until_read("notes")
        (fleet.documents / "lift.md").write_text("# Lift\n\nThe lift is inspected in March.\n")
        began = time.time()
        note = lorebot(fleet.workspace, "reindex source notes")
        assert "I have begun" in shown(note)
        fleet.wait_until_read("notes", since=began)
        asked = fleet.ask_about(LIFT)
        assert fleet.wait_for_answers([asked], 60) == []
        assert "inspected in March" in fleet.answer(asked)
        direct = fleet.workspace.direct_channel(ALICE)
        fleet.workspace.wait_for(
            lambda: any("Read again" in shown(one) for one in fleet.workspace.messages(direct))
        )
