"""``lorebot demo``: the sample handbook, a local workspace and the real bot, in one process."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

from pydantic import SecretStr

from bot.domain.errors import LorebotError
from bot.domain.settings import Settings, SlackTable
from bot.records.channels import Channels
from bot.records.database import Database
from bot.slack.connection.manifest import manifest
from bot.workspace import Workspace, WorkspaceError
from indexer.settings import FilesSource

SAMPLE = Path(__file__).parents[1] / "workspace" / "sample"
QUESTION = "<@U0LOREBOT> How much may I spend on meals per day when I travel?"
_ASKER, _CHANNEL = "U0ALICE", "C0HELP"
_ANSWER_SECONDS = 120
_OWNERS = {
    "C0GENERAL": ("U0ALICE",),
    "C0HELP": ("U0ALICE", "U0BOB"),
    "C0ENG": ("U0BOB",),
    "C0LEADS": ("U0ALICE",),
}


def demo_workspace(port: int) -> Workspace:
    """A workspace that also shows the handbook's pages; not started."""
    return Workspace(port=port, documents=SAMPLE, manifest=manifest())


def demo_settings(settings: Settings, workspace: Workspace | None = None) -> Settings:
    """The user's settings over the sample handbook and, if given, the workspace that runs."""
    changes: dict[str, object] = {"data_dir": settings.data_dir / "demo"}
    link = ""
    if workspace:
        link = workspace.documents_url
        changes["slack"] = SlackTable(
            bot_token=SecretStr(workspace.bot_token),
            app_token=SecretStr(workspace.app_token),
            api_url=workspace.api_url,
        )
    sample = FilesSource(name="handbook", path=SAMPLE, audience=("public",), link=link)
    return settings.model_copy(update={**changes, "sources": (sample,)})


def name_owners(settings: Settings) -> None:
    """Let *Ask a person* find somebody in the demo's channels, unless people are named there."""
    with closing(Database(settings.records_url)) as database:
        channels = Channels(database)
        for channel, owners in _OWNERS.items():
            known = channels.of(channel)
            if not known.owners:
                channels.save(replace(known, owners=owners))


def ask_first_question(workspace: Workspace) -> str:
    """Ask as Alice would, wait for the answer, and return the address that shows both."""
    ts = workspace.post(_ASKER, _CHANNEL, QUESTION)
    _await_answer(workspace, ts)
    return f"{workspace.url}?channel={_CHANNEL}&thread={ts}&person={_ASKER}"


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
