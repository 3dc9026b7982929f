"""`/lorebot reindex`: while the bot runs, one at a time, watched and stopped from Slack."""

import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.domain.settings import Settings
from bot.jobs.durable import Jobs, State
from bot.records.audit import Audit
from bot.records.database import Database
from bot.workspace import Workspace
from indexer.index import Index, open_index
from indexer.settings import FilesSource, SlackSource
from tests.scenarios.conftest import ALICE, HELP, LEADERS, Message, ask, connected, lorebot, shown
from tests.scenarios.test_crash import environment, running
from tests.services.databases import execute

__all__ = ["environment"]

DM = "D0ALICE"
LINK = "https://handbook.example.com/"


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    folder = tmp_path / "pages"
    folder.mkdir()
    for name in ("travel", "food"):
        (folder / f"{name}.md").write_text(f"# About {name}\n\nAll about {name}.\n")
    return folder


@pytest.fixture
def own_settings(settings: Settings, pages: Path) -> Settings:
    source = FilesSource(name="handbook", path=pages, audience=("public",), link=f"{LINK}{{path}}")
    return settings.model_copy(update={"sources": (source,)})


@pytest.fixture
def index(own_settings: Settings, workspace: Workspace) -> Iterator[Index]:
    with open_index(own_settings) as index:
        index.sync()
        with connected(own_settings, index, workspace):
            yield index


def add(pages: Path, *names: str) -> None:
    for name in names:
        (pages / f"{name}.md").write_text(f"# About {name}\n\nWhat there is to say on {name}.\n")


def titles(index: Index) -> set[str]:
    return {Path(one.partition(":")[2]).stem for one in index.store.documents()}


def reported(workspace: Workspace, *words: str) -> Message:
    """The message in the admin's direct messages, once it says all these words."""

    def found() -> list[Message]:
        messages = [one for one in workspace.messages(DM) if one.get("bot_id")]
        return [one for one in messages if all(word in shown(one) for word in words)]

    return workspace.wait_for(found, timeout=30)[0]


def test_a_killed_bot_goes_on_in_the_same_message(
    workspace: Workspace, environment: dict[str, str], pages: Path, tmp_path: Path
) -> None:
    configuration = tmp_path / "lorebot.toml"
    configuration.write_text(
        f'[[sources]]\nname = "handbook"\npath = "{pages}"\naudience = "public"\n'
    )
    with running(environment, workspace) as doomed:
        add(pages, "vacation", "parking")
        workspace.faults.add("chat.update", status=429, headers={"Retry-After": "30"})
        lorebot(workspace, "reindex all")
        message = reported(workspace, "Stop")
        workspace.wait_for(lambda: any(call.method == "chat.update" for call in workspace.calls))
        doomed.send_signal(signal.SIGKILL)
        workspace.wait_for(lambda: not workspace.bot_connected)
    workspace.faults.clear()
    with running(environment, workspace):
        assert reported(workspace, "Read again")["ts"] == message["ts"]
        lorebot(workspace, "reindex all")  # the place is free again
        reported(workspace, "Read again", "4 unchanged")


def test_a_reindex_that_two_bots_died_of_is_given_up_and_the_admin_told(
    workspace: Workspace, environment: dict[str, str], pages: Path, tmp_path: Path
) -> None:
    configuration = tmp_path / "lorebot.toml"
    configuration.write_text(
        f'[[sources]]\nname = "handbook"\npath = "{pages}"\naudience = "public"\n'
    )
    again = {"Retry-After": "60"}
    workspace.faults.add("chat.update", status=429, headers=again, times=10)
    for number in range(2):
        seen = len(workspace.calls)
        with running(environment, workspace) as doomed:
            if not number:
                add(pages, "vacation", "parking")
                lorebot(workspace, "reindex all")
            workspace.wait_for(
                lambda seen=seen: any(  # type: ignore[misc]
                    call.method == "chat.update" for call in workspace.calls[seen:]
                ),
                timeout=60,
            )
            doomed.send_signal(signal.SIGKILL)
            workspace.wait_for(lambda: not workspace.bot_connected)
    workspace.faults.clear()
    with running(environment, workspace):
        reported(workspace, "I gave up on reindex")
        lorebot(workspace, "reindex all")  # the place is free again
        reported(workspace, "Read again")


@pytest.fixture
def held(workspace: Workspace) -> None:
    """The next progress that is shown takes Slack three seconds: time to press a button."""
    workspace.faults.add("chat.update", status=429, headers={"Retry-After": "3"}, times=1)


def test_a_new_page_is_read_and_the_message_says_so_in_place(
    workspace: Workspace, index: Index, pages: Path
) -> None:
    add(pages, "vacation")
    assert "direct messages" in lorebot(workspace, "reindex all")["text"]
    done = reported(workspace, "Read again", "1 new", "2 unchanged")
    assert titles(index) == {"travel", "food", "vacation"}
    assert [one["ts"] for one in workspace.messages(DM)] == [done["ts"]]
    assert "Stop" not in shown(done)


def test_a_dry_run_tells_and_writes_nothing(
    workspace: Workspace, index: Index, pages: Path
) -> None:
    add(pages, "vacation")
    (pages / "food.md").unlink()
    lorebot(workspace, "reindex source handbook --dry-run")
    reported(workspace, "nothing was written", "1 new", "1 gone")
    assert titles(index) == {"travel", "food"}


def test_one_page_is_read_by_its_address_and_nothing_else(
    workspace: Workspace, index: Index, pages: Path
) -> None:
    add(pages, "vacation", "parking")
    (pages / "food.md").unlink()
    lorebot(workspace, f"reindex url <{LINK}vacation.md>")
    reported(workspace, "Read again", "1 new", "0 gone")
    assert titles(index) == {"travel", "food", "vacation"}


def test_one_channel_is_read_and_answers_there_and_nowhere_else(
    workspace: Workspace, settings: Settings
) -> None:
    source = SlackSource(
        name="slack", token=SecretStr(workspace.bot_token), api_url=workspace.api_url
    )
    own = settings.model_copy(update={"sources": (source,)})
    with open_index(own) as index, connected(own, index, workspace):
        for channel in (LEADERS, "C0ENG"):
            workspace.post(ALICE, channel, "The coffee machine is repaired by Marten on Tuesdays.")
        lorebot(workspace, f"reindex channel <#{LEADERS}|leadership>")
        reported(workspace, "Read again", "1 new")
        assert len(index.store.documents()) == 1
        coffee = "By whom is the coffee machine repaired?"
        assert "Marten" in ask(workspace, coffee, channel=LEADERS)["text"]
        assert "Marten" not in shown(ask(workspace, coffee, channel=HELP))


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("reindex", "Say what to read again"),
        ("reindex source wiki", "There are: handbook"),
        ("reindex channel <#C0HELP|help>", "No source of the settings reads"),
        ("reindex all of it", "Say what to read again"),
    ],
)
def test_what_cannot_be_read_again_is_refused(workspace: Workspace, typed: str, told: str) -> None:
    assert told in lorebot(workspace, typed)["text"]
    assert workspace.messages(DM) == []


@pytest.mark.usefixtures("index")
def test_an_unknown_address_is_told_in_the_message(workspace: Workspace) -> None:
    lorebot(workspace, "reindex url https://elsewhere.example.com/x")
    reported(workspace, "No source has a page at that address")
    lorebot(workspace, "reindex all")  # the place is free again
    reported(workspace, "Read again")


@pytest.mark.usefixtures("held")
def test_the_button_stops_it_and_what_was_read_stays(
    workspace: Workspace, index: Index, pages: Path, settings: Settings
) -> None:
    add(pages, "vacation", "parking")
    lorebot(workspace, "reindex all")
    message = reported(workspace, "Stop")
    workspace.wait_for(lambda: any(call.method == "chat.update" for call in workspace.calls))
    workspace.click(ALICE, DM, message["ts"], "reindex_cancel")
    stopped = reported(workspace, "Stopped by <@U0ALICE>")
    assert stopped["ts"] == message["ts"]
    assert titles(index) >= {"travel", "food"}
    with closing(Database(settings.records_url)) as database:
        outcomes = {act.action: act.outcome for act in Audit(database).newest()}
    assert outcomes["reindex ended"] == "cancelled"
    assert outcomes["reindex cancel"] == "done"


@pytest.mark.usefixtures("held", "index")
def test_two_never_run_at_once(workspace: Workspace, pages: Path) -> None:
    add(pages, "vacation")
    lorebot(workspace, "reindex all")
    assert "running already" in lorebot(workspace, "reindex all")["text"]
    reported(workspace, "Read again", "1 new")
    lorebot(workspace, "reindex all")
    reported(workspace, "Read again", "3 unchanged")


@pytest.mark.usefixtures("index")
def test_a_place_that_was_left_taken_by_what_is_over_is_given_free(
    workspace: Workspace, settings: Settings
) -> None:
    """As where the records failed just when it was to be given back."""
    lorebot(workspace, "reindex all")
    reported(workspace, "Read again")
    for job in execute(settings.records_url, "SELECT id FROM reindexes"):
        workspace.wait_for(lambda job=job: Jobs.state("reindex", job.id) is State.DONE)  # type: ignore[misc]
    assert execute(settings.records_url, "UPDATE reindexes SET running = true")
    assert "I have begun" in lorebot(workspace, "reindex all")["text"]


@pytest.mark.usefixtures("held")
def test_an_admin_who_is_none_any_more_cannot_stop_it(
    workspace: Workspace, index: Index, pages: Path
) -> None:
    add(pages, "vacation")
    lorebot(workspace, "reindex all")
    message = reported(workspace, "Stop")
    workspace.change_person(ALICE, is_admin=False, is_owner=False)
    workspace.click(ALICE, DM, message["ts"], "reindex_cancel")
    reported(workspace, "Only admins")
    reported(workspace, "Read again", "1 new")
    assert "vacation" in titles(index)
