"""Installing into several workspaces, and rotating tokens, with Bolt's OAuth flow and the SDK's."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from slack_bolt import App
from slack_bolt.oauth.oauth_settings import OAuthSettings
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackTokenRotationError
from slack_sdk.oauth.installation_store import FileInstallationStore
from slack_sdk.oauth.state_store import FileOAuthStateStore
from slack_sdk.oauth.token_rotation import TokenRotator

from bot.workspace import Workspace, WorkspaceError, sample_partner

from .http_app import serving

SCOPES = ["chat:write", "app_mentions:read", "im:history"]


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with Workspace(others=[sample_partner()], installed=False, token_lifetime=43_200) as running:
        yield running


@pytest.fixture
def nobody(workspace: Workspace) -> WebClient:
    """A client without a token."""
    return WebClient(base_url=workspace.api_url)


def code_for(workspace: Workspace, user: str = "U1DANA", **changes: str) -> str:
    """What somebody who pressed "Allow" brings back to the app."""
    query = {
        "client_id": workspace.client_id,
        "scope": ",".join(SCOPES),
        "redirect_uri": "http://127.0.0.1/back",
        "state": "s",
        **changes,
    }
    back = workspace.install(f"{workspace.authorize_url}?{urlencode(query)}", user)
    return parse_qs(urlsplit(back).query)["code"][0]


def redeem(workspace: Workspace, client: WebClient, **arguments: Any) -> Any:
    client_id, secret = workspace.client_id, workspace.client_secret
    return client.oauth_v2_access(client_id=client_id, client_secret=secret, **arguments)


def error_of(call: Any, **arguments: Any) -> str:
    with pytest.raises(SlackApiError) as refused:
        call(**arguments)
    return str(refused.value.response["error"])


def test_bolt_installs_into_two_workspaces_and_answers_in_both(
    workspace: Workspace, nobody: WebClient, tmp_path: Any
) -> None:
    settings = OAuthSettings(
        client_id=workspace.client_id,
        client_secret=workspace.client_secret,
        scopes=SCOPES,
        authorization_url=workspace.authorize_url,
        installation_store=FileInstallationStore(base_dir=str(tmp_path / "installed")),
        state_store=FileOAuthStateStore(expiration_seconds=60, base_dir=str(tmp_path / "states")),
    )
    app = App(client=nobody, signing_secret=workspace.signing_secret, oauth_settings=settings)

    @app.event("message")
    def answer(event: dict[str, Any], say: Any) -> None:
        if not event.get("bot_id"):
            say(f"Heard {event['text']}")

    with serving(app) as url:
        workspace.deliver_to(url)
        for user in ("U0ALICE", "U1DANA"):
            install(workspace, url.replace("events", "install"), user)
        workspace.post("U0ALICE", "D0ALICE", "first")
        workspace.team("T1PARTNER").post("U1DANA", "D1DANA", "second")
        for team, channel in (("T0LOCAL", "D0ALICE"), ("T1PARTNER", "D1DANA")):
            there = workspace.team(team)
            workspace.wait_for(lambda there=there, at=channel: len(there.messages(at)) == 2)
    assert workspace.messages("D0ALICE")[-1]["text"] == "Heard first"
    partner = workspace.team("T1PARTNER").messages("D1DANA")[-1]
    assert (partner["text"], partner["user"]) == ("Heard second", "U1LOREBOT")


def install(workspace: Workspace, address: str, user: str) -> None:
    """Goes the whole way as a browser does: install page, consent, back with cookies."""

    class NoRedirects(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: Any) -> None: ...

    opener = urllib.request.build_opener(NoRedirects, urllib.request.HTTPCookieProcessor())
    with opener.open(address) as page:
        cookie = page.headers["Set-Cookie"].partition(";")[0]
        body = page.read().decode()
    consent = body.partition('<a href="')[2].partition('"')[0].replace("&amp;", "&")
    back = workspace.install(_with_redirect(consent, address), user)
    request = urllib.request.Request(back, headers={"Cookie": cookie})
    with opener.open(request) as done:
        assert done.status == 200


def _with_redirect(consent: str, address: str) -> str:
    return f"{consent}&{urlencode({'redirect_uri': address.replace('install', 'oauth_redirect')})}"


def test_uninstalled_workspace_sends_nothing_and_its_token_is_over(
    workspace: Workspace, nobody: WebClient
) -> None:
    token = redeem(workspace, nobody, code=code_for(workspace))["access_token"]
    client = WebClient(token=token, base_url=workspace.api_url)
    assert client.auth_test()["team_id"] == "T1PARTNER"
    workspace.uninstall("T1PARTNER")
    assert error_of(client.auth_test) == "token_revoked"
    there = workspace.team("T1PARTNER")
    assert workspace.event_ids(there.post("U1DANA", "D1DANA", "hello?")) == []


def test_token_belongs_to_its_workspace(workspace: Workspace, nobody: WebClient) -> None:
    answer = redeem(workspace, nobody, code=code_for(workspace))
    assert (answer["team"]["id"], answer["authed_user"]["id"]) == ("T1PARTNER", "U1DANA")
    assert answer["scope"].split(",") == SCOPES
    client = WebClient(token=answer["access_token"], base_url=workspace.api_url)
    foreign = error_of(client.chat_postMessage, channel="C0HELP", text="hi")
    assert foreign == "channel_not_found"
    client.chat_postMessage(channel="C1HELP", text="hi")
    refused = error_of(client.users_info, user="U1DANA")
    assert refused == "missing_scope"


def test_sdk_rotates_a_token_and_the_refresh_token_serves_once(
    workspace: Workspace, nobody: WebClient
) -> None:
    issued = redeem(workspace, nobody, code=code_for(workspace))
    assert issued["expires_in"] == pytest.approx(43_200, abs=5)
    bot = installed(issued)
    rotator = TokenRotator(
        client_id=workspace.client_id, client_secret=workspace.client_secret, client=nobody
    )
    assert rotator.perform_bot_token_rotation(bot=bot, minutes_before_expiration=10) is None
    rotated = rotator.perform_bot_token_rotation(bot=bot, minutes_before_expiration=800)
    assert rotated is not None
    assert rotated.bot_token != bot.bot_token
    for token in (bot.bot_token, rotated.bot_token):
        WebClient(token=token, base_url=workspace.api_url).auth_test()
    with pytest.raises(SlackTokenRotationError) as again:
        rotator.perform_bot_token_rotation(bot=bot, minutes_before_expiration=800)
    assert again.value.api_error.response["error"] == "invalid_refresh_token"


def test_expired_token_is_refused_until_it_is_refreshed(
    workspace: Workspace, nobody: WebClient
) -> None:
    issued = redeem(workspace, nobody, code=code_for(workspace))
    workspace.expire_tokens()
    client = WebClient(token=issued["access_token"], base_url=workspace.api_url)
    assert error_of(client.auth_test) == "token_expired"
    refreshed = redeem(
        workspace, nobody, grant_type="refresh_token", refresh_token=issued["refresh_token"]
    )
    client.token = refreshed["access_token"]
    assert client.auth_test()["team_id"] == "T1PARTNER"


def test_only_two_rotating_tokens_work_at_a_time(workspace: Workspace, nobody: WebClient) -> None:
    tokens = [redeem(workspace, nobody, code=code_for(workspace))["access_token"] for _ in range(3)]
    clients = [WebClient(token=token, base_url=workspace.api_url) for token in tokens]
    assert error_of(clients[0].auth_test) == "token_revoked"
    assert [client.auth_test()["ok"] for client in clients[1:]] == [True, True]


def test_lasting_token_is_exchanged_for_a_rotating_one() -> None:
    with Workspace(token_lifetime=43_200) as workspace:
        nobody = WebClient(base_url=workspace.api_url)
        answer = nobody.oauth_v2_exchange(
            token=workspace.bot_token,
            client_id=workspace.client_id,
            client_secret=workspace.client_secret,
            access_token=workspace.bot_token,
        )
        assert answer["access_token"].startswith("xoxe.xoxb-")
        old = WebClient(token=workspace.bot_token, base_url=workspace.api_url)
        assert error_of(old.auth_test) == "token_revoked"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"client_id": "9.9"}, "invalid_client_id"),
        ({"client_secret": "wrong"}, "bad_client_secret"),
        ({"code": "made-up"}, "invalid_code"),
        ({"redirect_uri": "http://elsewhere/"}, "bad_redirect_uri"),
    ],
)
def test_bad_redemption_is_refused(
    workspace: Workspace, nobody: WebClient, arguments: dict[str, str], error: str
) -> None:
    good = {"client_id": workspace.client_id, "client_secret": workspace.client_secret}
    call = {**good, "code": code_for(workspace), **arguments}
    assert error_of(nobody.oauth_v2_access, **call) == error


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("https://app.example/slack", True),
        ("https://app.example/slack/done?x=1", True),
        ("https://app.example/slackers", False),
        ("https://app.example.evil/slack", False),
        ("http://app.example/slack", False),
    ],
)
def test_only_configured_addresses_are_gone_back_to(address: str, allowed: bool) -> None:
    with Workspace(installed=False, redirect_urls=["https://app.example/slack"]) as workspace:
        if allowed:
            assert code_for(workspace, "U0ALICE", redirect_uri=address)
            return
        with pytest.raises(WorkspaceError, match="redirect_uri did not match"):
            code_for(workspace, "U0ALICE", redirect_uri=address)


def test_code_serves_once(workspace: Workspace, nobody: WebClient) -> None:
    code = code_for(workspace)
    redeem(workspace, nobody, code=code)
    client_id, secret = workspace.client_id, workspace.client_secret
    again = {"client_id": client_id, "client_secret": secret, "code": code}
    assert error_of(nobody.oauth_v2_access, **again) == "code_already_used"
    assert "code" not in workspace.calls[-1].arguments
    assert "client_secret" not in workspace.calls[-1].arguments


def test_guests_cannot_install_and_denial_goes_back(workspace: Workspace) -> None:
    with pytest.raises(WorkspaceError, match="Guests cannot"):
        code_for(workspace, "U0CARLA")
    query = {"client_id": workspace.client_id, "scope": "chat:write", "redirect_uri": "http://b/"}
    back = workspace.install(f"{workspace.authorize_url}?{urlencode(query)}", "U0BOB", allow=False)
    assert parse_qs(urlsplit(back).query)["error"] == ["access_denied"]


def test_revoked_token_is_told_to_the_app(workspace: Workspace, nobody: WebClient) -> None:
    heard: list[str] = []

    def wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        body = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        heard.append(body.get("event", {}).get("type", body["type"]))
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [body.get("challenge", "").encode()]

    token = redeem(workspace, nobody, code=code_for(workspace))["access_token"]
    with serving(wsgi) as url:
        workspace.deliver_to(url)
        WebClient(token=token, base_url=workspace.api_url).auth_revoke()
        workspace.wait_for(lambda: "tokens_revoked" in heard)
        workspace.uninstall("T1PARTNER")
        workspace.wait_for(lambda: "app_uninstalled" in heard)


def test_consent_page_names_what_is_asked_for(workspace: Workspace) -> None:
    query = {"client_id": workspace.client_id, "scope": "chat:write", "redirect_uri": "http://b/"}
    with urllib.request.urlopen(f"{workspace.authorize_url}?{urlencode(query)}") as page:
        body = page.read().decode()
        assert "form-action 'self' http://b" in page.headers["Content-Security-Policy"]
    assert "chat:write" in body
    assert "Partner Studio, as Dana" in body
    query["client_id"] = '"><script>'
    with pytest.raises(urllib.error.HTTPError, match="400") as refused:
        urllib.request.urlopen(f"{workspace.authorize_url}?{urlencode(query)}")
    refused.value.close()


def installed(issued: Any) -> Any:
    from slack_sdk.oauth.installation_store import Bot

    return Bot(
        bot_token=issued["access_token"],
        bot_id="B1LOREBOT",
        bot_user_id=issued["bot_user_id"],
        team_id=issued["team"]["id"],
        bot_refresh_token=issued["refresh_token"],
        bot_token_expires_in=issued["expires_in"],
        installed_at=time.time(),
    )
