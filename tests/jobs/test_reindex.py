"""Parts of sources read again, on a real Slack history and a real index."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.domain.errors import ReindexRefused
from bot.domain.settings import Settings
from bot.jobs.reindex import Reindexer, Scope
from bot.workspace import Workspace
from indexer.index import Index, open_index
from indexer.settings import SlackSource
from indexer.sync.sync import no_progress

HELP, ENGINEERING, ALICE = "C0HELP", "C0ENG", "U0ALICE"


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with Workspace() as workspace:
        yield workspace


@pytest.fixture
def settings(workspace: Workspace, cache_dir: Path, tmp_path: Path) -> Settings:
    source = SlackSource(
        name="talk",
        token=SecretStr(workspace.bot_token),
        channels=(HELP, ENGINEERING),
        api_url=workspace.api_url,
    )
    return Settings(cache_dir=cache_dir, data_dir=tmp_path, sources=(source,))


@pytest.fixture
def index(settings: Settings) -> Iterator[Index]:
    with open_index(settings) as index:
        yield index


def channels(index: Index) -> list[str]:
    """The channel of every indexed document."""
    return sorted(one.partition(":")[2].partition("/")[0] for one in index.store.documents())


def test_one_channel_is_read_again_and_no_other(
    workspace: Workspace, settings: Settings, index: Index
) -> None:
    reindexer = Reindexer(index, settings)
    thread = workspace.post(ALICE, HELP, "How do I get a parking permit for the garage downtown?")
    workspace.post(ALICE, HELP, "Ask the front desk for a form and sign it.", thread_ts=thread)
    reindexer.apply(Scope("all"), reindexer.plan(Scope("all")), no_progress)
    assert channels(index) == [HELP]

    root = workspace.post(ALICE, ENGINEERING, "The build server moves to the new rack tomorrow.")
    workspace.post(ALICE, ENGINEERING, "It will be away for an hour or two.", thread_ts=root)
    scope = Scope("channel", HELP)
    (plan,) = reindexer.plan(scope)
    assert (len(plan.added), plan.deleted) == (0, ())
    before = index.journal.read()
    reindexer.apply(scope, [plan], no_progress)
    assert channels(index) == [HELP]
    assert index.journal.read() == before  # the source as a whole is no fresher

    scope = Scope("channel", ENGINEERING)
    reindexer.apply(scope, reindexer.plan(scope), no_progress)
    assert set(channels(index)) == {ENGINEERING, HELP}


def test_what_is_gone_from_a_channel_goes_and_nothing_else_does(
    workspace: Workspace, settings: Settings, index: Index
) -> None:
    reindexer = Reindexer(index, settings)
    said = [
        workspace.post(ALICE, channel, f"The printer on floor {floor} needs a new drum, please.")
        for channel, floor in ((HELP, 1), (ENGINEERING, 2))
    ]
    reindexer.apply(Scope("all"), reindexer.plan(Scope("all")), no_progress)
    for channel, ts in zip((HELP, ENGINEERING), said, strict=True):
        workspace.delete(ALICE, channel, ts)
    (plan,) = reindexer.plan(Scope("channel", HELP))
    assert all(one.startswith(f"talk:{HELP}/") for one in plan.deleted)
    assert plan.deleted
    reindexer.apply(Scope("channel", HELP), [plan], no_progress)
    assert channels(index) == [ENGINEERING]


def test_what_no_source_reads_is_refused(settings: Settings, index: Index) -> None:
    reindexer = Reindexer(index, settings)
    with pytest.raises(ReindexRefused, match="There are: talk"):
        reindexer.check(Scope("source", "wiki"))
    with pytest.raises(ReindexRefused, match="history of that channel"):
        reindexer.check(Scope("channel", "C0GENERAL"))
    reindexer.check(Scope("channel", HELP))
