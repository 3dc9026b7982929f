"""Several workspaces install the app by OAuth; each is answered with its own, encrypted token."""

import socket
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.error import HTTPError

import httpx
import pytest
from pydantic import SecretStr

from bot.bootstrap.wiring import open_slack_bot
from bot.domain.settings import Settings, SlackTable
from bot.records.database import Database
from bot.records.installations import Installations, Installed, TokenCipher, new_token_key
from bot.slack.connection.transport import EVENTS_PATH, HttpTransport
from bot.workspace import Workspace, sample_partner
from bot.workspace.server.actions import Actions
from indexer.index import Index
from tests.scenarios.conftest import ALICE, BOT, HELP, Message, finished, lorebot, shown
from tests.services.databases import execute

MEALS = "How much may I spend on meals per day when I travel?"
HOME_TEAM, PARTNER = "T0LOCAL", "T1PARTNER"
DANA = "U1DANA"


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with Workspace(others=[sample_partner()], installed=False, token_lifetime=43_200) as running:
        yield running


@pytest.fixture
def settings(workspace: Workspace, installed: Settings) -> Settings:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    slack = SlackTable(
        mode="http",
        listen=address,
        url=f"http://{address}",
        api_url=workspace.api_url,
        signing_secret=SecretStr(workspace.signing_secret),
        client_id=workspace.client_id,
        client_secret=SecretStr(workspace.client_secret),
        token_keys=SecretStr(new_token_key()),
        workspaces=(HOME_TEAM, PARTNER),
    )
    return installed.model_copy(update={"slack": slack})


@pytest.fixture
def installable(settings: Settings, workspace: Workspace, handbook: Index) -> Iterator[str]:
    """The bot's public address."""
    with open_slack_bot(settings, handbook) as bot:
        assert isinstance(bot.transport, HttpTransport)
        workspace.deliver_to(f"{settings.slack.url}{EVENTS_PATH}")
        yield settings.slack.url


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None: ...


def install(workspace: Workspace, url: str, user: str) -> str:
    """The whole way as a browser goes it; returns the last page."""
    opener = urllib.request.build_opener(_Stay, urllib.request.HTTPCookieProcessor())
    with opener.open(f"{url}/slack/install") as page:
        cookie = page.headers["Set-Cookie"].partition(";")[0]
        body = page.read().decode()
    consent = body.partition('<a href="')[2].partition('"')[0].replace("&amp;", "&")
    back = workspace.install(consent, user)
    try:
        with opener.open(urllib.request.Request(back, headers={"Cookie": cookie})) as done:
            return str(done.read().decode())
    except HTTPError as refused:
        with refused:
            return refused.read().decode()


def answer_in(workspace: Workspace, there: Actions, person: str, channel: str, bot: str) -> Message:
    ts = there.post(person, channel, f"{bot} {MEALS}")

    def answered() -> list[Message]:
        thread = there.messages(channel, thread_ts=ts)
        return [one for one in thread if one["ts"] != ts and finished(one)]

    return workspace.wait_for(answered, timeout=40)[0]


def stored(settings: Settings, team: str) -> Installed | None:
    with closing(Database(settings.records_url)) as database:
        return Installations(database, TokenCipher(settings.slack.keys)).of(team)


@pytest.mark.parametrize("path", ["/slack/install", "/slack/oauth_redirect"])
def test_the_pages_of_the_installation_take_no_body(installable: str, path: str) -> None:
    for content in (b"x", iter([b"x"])):
        assert httpx.request("GET", installable + path, content=content).status_code == 413


@pytest.mark.parametrize(
    "query",
    [
        "",
        "code=a",
        "code=a&state=b",
        "state=%ff&code=%ff",
        "state=%00&code=%00",
        "state=a&state=b&code=",
        "error=%3Cscript%3E",
        "code=a&state=" + "x" * 10_000,
    ],
)
def test_a_way_back_that_is_none_is_refused(installable: str, query: str) -> None:
    refused = httpx.get(f"{installable}/slack/oauth_redirect?{query}", headers={"Cookie": "a=b"})
    assert refused.status_code < 500
    assert "Thank you" not in refused.text
    assert "<script>" not in refused.text


def test_two_workspaces_install_and_each_is_answered_as_itself(
    workspace: Workspace, settings: Settings, installable: str
) -> None:
    for person in (ALICE, DANA):
        assert "Thank you" in install(workspace, installable, person)
    home, partner = workspace.team(HOME_TEAM), workspace.team(PARTNER)
    assert "45 EUR" in answer_in(workspace, home, ALICE, HELP, BOT)["text"]
    answer = answer_in(workspace, partner, DANA, "C1HELP", "<@U1LOREBOT>")
    assert "45 EUR" in answer["text"]
    assert answer["user"] == "U1LOREBOT"
    assert "Status" in shown(lorebot(workspace, "status"))
    kept = str(execute(settings.records_url, "SELECT * FROM installations"))
    for team in (HOME_TEAM, PARTNER):
        installed = stored(settings, team)
        assert installed is not None
        assert installed.token not in kept
        assert installed.refresh_token not in kept


def test_a_workspace_that_the_settings_do_not_name_is_refused(
    workspace: Workspace, settings: Settings, handbook: Index
) -> None:
    slack = settings.slack.model_copy(update={"workspaces": (HOME_TEAM,)})
    with open_slack_bot(settings.model_copy(update={"slack": slack}), handbook):
        page = install(workspace, slack.url, DANA)
    assert "Thank you" not in page
    assert stored(settings, PARTNER) is None
    assert any(call.method == "auth.revoke" for call in workspace.calls)


def test_a_token_near_its_end_is_refreshed_before_it_is_used(
    workspace: Workspace, settings: Settings, installable: str
) -> None:
    install(workspace, installable, ALICE)
    first = stored(settings, HOME_TEAM)
    assert first is not None
    assert first.installed_by == ALICE
    soon = (datetime.now(UTC) + timedelta(hours=1)).replace(tzinfo=None).isoformat(" ")
    assert execute(settings.records_url, f"UPDATE installations SET expires_at = '{soon}'")
    assert "45 EUR" in answer_in(workspace, workspace, ALICE, HELP, BOT)["text"]
    second = stored(settings, HOME_TEAM)
    assert second is not None
    assert second.token != first.token
    assert second.expires_at is not None
    assert second.expires_at > datetime.now(UTC) + timedelta(hours=10)


def test_an_uninstalled_workspace_leaves_no_token(
    workspace: Workspace, settings: Settings, installable: str
) -> None:
    install(workspace, installable, DANA)
    assert stored(settings, PARTNER) is not None
    workspace.uninstall(PARTNER)
    workspace.wait_for(lambda: stored(settings, PARTNER) is None)
