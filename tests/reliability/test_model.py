"""A model file that is cut, and an engine without memory: a sentence, or a restart; no loss."""

from __future__ import annotations

import resource
from contextlib import suppress
from pathlib import Path

import pytest

from bot.workspace import Workspace
from bot.workspace.errors import WorkspaceError
from tests.reliability.conftest import failing, posted
from tests.scenarios.conftest import HELP, answer_to, finished, replies
from tests.scenarios.test_crash import running


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_truncated_model_is_named_at_the_start(
    workspace: Workspace,
    environment: dict[str, str],
    tiny_model: Path,
    tmp_path: Path,
    share: float,
) -> None:
    cut = tmp_path / "cut.gguf"
    whole = tiny_model.read_bytes()
    cut.write_bytes(whole[: int(len(whole) * share)])
    said = failing(environment | {"LOREBOT_MODEL_PATH": str(cut)}, "run")
    assert "cut.gguf" in said
    assert workspace.bot_connected is False


def test_question_that_the_memory_did_not_suffice_for_is_answered_at_the_latest_after_a_restart(
    workspace: Workspace, environment: dict[str, str], tiny_model: Path
) -> None:
    """The running bot gets no more memory: whatever becomes of the process, nothing is lost."""
    with_model = environment | {
        "LOREBOT_MODEL_PATH": str(tiny_model),
        "LOREBOT_MODEL_ANSWER_TOKENS": "32",
    }
    with running(with_model, workspace) as bot:
        taken = int(Path(f"/proc/{bot.pid}/statm").read_text().split()[0])
        pages = resource.getpagesize()
        resource.prlimit(bot.pid, resource.RLIMIT_AS, (taken * pages, resource.RLIM_INFINITY))
        ts = posted(workspace)

        def ended() -> bool:
            return bot.poll() is not None or any(map(finished, replies(workspace, HELP, ts)))

        with suppress(WorkspaceError):  # it may as well stand there, without room for a thread
            workspace.wait_for(ended, timeout=20)
    workspace.wait_for(lambda: not workspace.bot_connected)
    with running(with_model, workspace):
        answer_to(workspace, HELP, ts, timeout=180)
        assert len(replies(workspace, HELP, ts)) == 1
