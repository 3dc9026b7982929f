"""``lorebot demo``: the sample handbook, a local workspace and the real bot, in one process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import SecretStr

from bot.bootstrap import open_slack_bot
from bot.errors import LorebotError
from bot.settings import Settings, SlackTable
from bot.workspace import Workspace, WorkspaceError
from indexer.library import Library
from indexer.settings import FilesSource

SAMPLE = Path(__file__).parent / "workspace" / "sample"
QUESTION = "<@U0LOREBOT> How much may I spend on meals per day when I travel?"
_ASKER, _CHANNEL = "U0ALICE", "C0HELP"
_ANSWER_SECONDS = 120


def demo_settings(settings: Settings) -> Settings:
    """The user's settings over the sample handbook, with records of their own."""
    sample = FilesSource(name="handbook", path=SAMPLE, audience=("public",))
    return settings.model_copy(
        update={"data_dir": settings.data_dir / "demo", "sources": (sample,)}
    )


@contextmanager
def running_demo(settings: Settings, library: Library, port: int) -> Iterator[str]:
    """The address of the workspace's page, with the bot in it and one question answered."""
    with Workspace(port=port) as workspace:
        slack = SlackTable(
            bot_token=SecretStr(workspace.bot_token),
            app_token=SecretStr(workspace.app_token),
            api_url=workspace.api_url,
        )
        with open_slack_bot(settings.model_copy(update={"slack": slack}), library):
            ts = workspace.post(_ASKER, _CHANNEL, QUESTION)
            _await_answer(workspace, ts)
            yield f"{workspace.url}?channel={_CHANNEL}&thread={ts}&person={_ASKER}"


def _await_answer(workspace: Workspace, ts: str) -> None:
    def answered() -> bool:
        replies = [m for m in workspace.messages(_CHANNEL, thread_ts=ts) if m["ts"] != ts]
        return any("[1]" in reply.get("text", "") for reply in replies)

    try:
        workspace.wait_for(answered, timeout=_ANSWER_SECONDS)
    except WorkspaceError as error:
        raise LorebotError(
            f"The demo's question was not answered within {_ANSWER_SECONDS} seconds; "
            "run `lorebot --verbose demo` to see why."
        ) from error
