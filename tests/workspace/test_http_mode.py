"""A real Bolt app behind a request URL: signatures, retries, interactions, replicas."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from slack_bolt import Ack, App, BoltRequest
from slack_sdk import WebClient
from slack_sdk.signature import SignatureVerifier

from bot.workspace import Workspace, WorkspaceError
from bot.workspace.delivery.http_mode import signature

from .conftest import FEEDBACK
from .http_app import Wsgi, serving

Heard = list[dict[str, Any]]


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with Workspace(redelivery_delays=(0.0, 0.1, 0.1)) as running:
        yield running


@pytest.fixture
def app(workspace: Workspace, client: WebClient) -> App:
    return App(
        client=client,
        signing_secret=workspace.signing_secret,
        raise_error_for_unhandled_request=False,
    )


def raw(status: str, headers: dict[str, str] | None = None) -> tuple[Wsgi, Heard]:
    """A server that answers the challenge, and everything after it with this status."""
    requests: Heard = []

    def wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        if b"url_verification" in body:
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [json.loads(body)["challenge"].encode()]
        requests.append({**environ, "body": body})
        start_response(status, [("Content-Type", "text/plain"), *(headers or {}).items()])
        return [b""]

    return wsgi, requests


def test_signature_is_the_one_slack_documents() -> None:
    body = b"token=xyzz0WbapA4vBCDEFasx0q6G&command=%2Fweather"
    made = signature("8f742231b10e8888abcd99yyyzzz85a5", "1531420618", body)
    verifier = SignatureVerifier("8f742231b10e8888abcd99yyyzzz85a5")
    assert made == verifier.generate_signature(timestamp="1531420618", body=body)


def test_event_arrives_signed_and_is_acknowledged(workspace: Workspace, app: App) -> None:
    heard: Heard = []
    app.event("app_mention")(lambda body: heard.append(body))
    app.event("message")(lambda: None)
    with serving(app) as url:
        workspace.deliver_to(url)
        assert workspace.bot_connected
        ts = workspace.post("U0ALICE", "C0HELP", "<@U0LOREBOT> hi")
        workspace.wait_for(lambda: all(map(workspace.acknowledged, workspace.event_ids(ts))))
    assert [body["event"]["ts"] for body in heard] == [ts]
    assert len(workspace.acknowledgement_seconds()) == 2


def test_app_with_another_secret_takes_nothing(workspace: Workspace, client: WebClient) -> None:
    heard: Heard = []
    app = App(client=client, signing_secret="another")
    app.event("message")(lambda body: heard.append(body))
    with serving(app) as url, pytest.raises(WorkspaceError, match="challenge: http_error"):
        workspace.deliver_to(url)
    assert not workspace.bot_connected
    assert heard == []
    workspace.deliver_over_sockets()  # nothing was left behind


def test_failed_event_is_retried_with_its_number_and_reason(workspace: Workspace) -> None:
    wsgi, requests = raw("500 Internal Server Error")
    with serving(wsgi) as url:
        workspace.deliver_to(url)
        (event_id,) = workspace.event_ids(workspace.post("U0ALICE", "D0ALICE", "hello"))
        workspace.wait_for(lambda: workspace.gave_up(event_id))
    retries = [
        (each.get("HTTP_X_SLACK_RETRY_NUM"), each.get("HTTP_X_SLACK_RETRY_REASON"))
        for each in requests
    ]
    assert retries == [(None, None), *((str(n), "http_error") for n in (1, 2, 3))]
    assert {json.loads(each["body"])["event_id"] for each in requests} == {event_id}


def test_app_can_refuse_retries(workspace: Workspace) -> None:
    wsgi, requests = raw("500 Internal Server Error", {"X-Slack-No-Retry": "1"})
    with serving(wsgi) as url:
        workspace.deliver_to(url)
        (event_id,) = workspace.event_ids(workspace.post("U0ALICE", "D0ALICE", "hello"))
        workspace.wait_for(lambda: workspace.gave_up(event_id))
    assert len(requests) == 1


def test_slow_acknowledgement_is_a_timeout(workspace: Workspace, app: App) -> None:
    retries: list[tuple[str, str]] = []

    @app.middleware
    def slow_at_first(request: BoltRequest, next_: Any) -> Any:
        if "x-slack-retry-num" not in request.headers:
            time.sleep(3.2)
        else:
            headers = request.headers
            retries.append((headers["x-slack-retry-num"][0], headers["x-slack-retry-reason"][0]))
        return next_()

    app.event("message")(lambda: None)
    with serving(app) as url:
        workspace.deliver_to(url)
        (event_id,) = workspace.event_ids(workspace.post("U0ALICE", "D0ALICE", "hello"))
        workspace.wait_for(lambda: workspace.acknowledged(event_id))
    assert retries == [("1", "http_timeout")]


def test_replicas_take_turns_and_a_dead_one_is_passed_over(
    workspace: Workspace, client: WebClient
) -> None:
    heard: list[str] = []

    def replica(name: str) -> App:
        app = App(client=client, signing_secret=workspace.signing_secret)
        app.event("message")(lambda: heard.append(name))
        return app

    def say() -> None:
        said = len(heard)
        workspace.post("U0ALICE", "D0ALICE", "hello")
        workspace.wait_for(lambda: len(heard) > said)

    with serving(replica("one")) as one:
        with serving(replica("two")) as two:
            workspace.deliver_to(one, two)
            say()
            say()
            assert sorted(heard) == ["one", "two"]
        say()
        say()
    assert heard[2:] == ["one", "one"]


def test_workspace_waits_for_the_app_behind_its_request_url(client: WebClient) -> None:
    heard: list[str] = []
    wsgi, _ = raw("200 OK")
    with serving(wsgi) as url:
        pass  # an address at which nobody listens yet
    port = int(url.split(":")[2].partition("/")[0])
    with Workspace(request_url=url, signing_secret="a secret") as workspace:
        workspace.post("U0ALICE", "D0ALICE", "early")
        assert not workspace.bot_connected
        app = App(
            token=workspace.bot_token,
            client=WebClient(base_url=workspace.api_url, token=workspace.bot_token),
            signing_secret="a secret",
        )
        app.event("message")(lambda event: heard.append(event["text"]))
        with serving(app, port=port):
            workspace.wait_for(lambda: heard)
    assert heard == ["early"]


def test_interactions_commands_and_modals_work_over_http(workspace: Workspace, app: App) -> None:
    clicked: Heard = []

    @app.action("feedback")
    def feedback(ack: Ack, body: dict[str, Any]) -> None:
        ack()
        clicked.append(body)

    @app.command("/ask")
    def ask(ack: Ack, body: dict[str, Any], client: WebClient) -> None:
        ack(f"Asking: {body['text']}")
        client.views_open(trigger_id=body["trigger_id"], view=modal())

    @app.options("page")
    def pages(ack: Ack, body: dict[str, Any]) -> None:
        ack(options=[option(f"{body['value']}-{number}") for number in range(2)])

    @app.view("why")
    def why(ack: Ack, view: dict[str, Any]) -> None:
        chosen = view["state"]["values"]["b"]["page"]["selected_option"]["value"]
        ack(response_action="errors", errors={"b": f"Not {chosen}."})

    with serving(app) as url:
        workspace.deliver_to(url)
        posted = app.client.chat_postMessage(channel="C0HELP", text="x", blocks=[FEEDBACK])
        workspace.click("U0BOB", "C0HELP", posted["ts"], "feedback", "down")
        workspace.command("U0BOB", "C0HELP", "/ask", "what is up?")
        opened = workspace.wait_for(lambda: workspace.modal("U0BOB"))
        options = workspace.suggestions("U0BOB", opened["id"], "page", "vpn")
        problems = workspace.submit_view("U0BOB", {"page": options[1]})
    assert clicked[0]["actions"][0]["value"] == "down"
    assert workspace_texts(workspace) == ["x", "Asking: what is up?"]
    assert [each["value"] for each in options] == ["vpn-0", "vpn-1"]
    assert problems == {"b": "Not vpn-1."}


def test_command_may_be_answered_with_plain_text(workspace: Workspace) -> None:
    def wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        start_response("200 OK", [("Content-Type", "text/plain")])
        is_challenge = b"url_verification" in body
        return [json.loads(body)["challenge"].encode() if is_challenge else b"All well."]

    with serving(wsgi) as url:
        workspace.deliver_to(url)
        workspace.command("U0BOB", "C0HELP", "/status")
    (answer,) = workspace.messages("C0HELP")
    assert (answer["text"], answer["ephemeral_to"]) == ("All well.", "U0BOB")


def test_failed_interaction_tells_the_person(workspace: Workspace) -> None:
    wsgi, _ = raw("503 Service Unavailable")
    with serving(wsgi) as url:
        workspace.deliver_to(url)
        with pytest.raises(WorkspaceError, match="could not be reached: http_error"):
            workspace.command("U0BOB", "C0HELP", "/status")


def test_going_back_to_sockets_takes_open_events_along(workspace: Workspace, app: App) -> None:
    wsgi, _ = raw("200 OK")
    with serving(wsgi) as url:
        workspace.deliver_to(url)
        workspace.deliver_over_sockets()
        (event_id,) = workspace.event_ids(workspace.post("U0ALICE", "D0ALICE", "hello"))
        assert not workspace.bot_connected
        workspace.deliver_to(url)
        workspace.wait_for(lambda: workspace.acknowledged(event_id))


def workspace_texts(workspace: Workspace) -> list[str]:
    return [message["text"] for message in workspace.messages("C0HELP")]


def plain(text: str) -> dict[str, str]:
    return {"type": "plain_text", "text": text}


def option(value: str) -> dict[str, Any]:
    return {"text": plain(value.upper()), "value": value}


def modal() -> dict[str, Any]:
    element = {"type": "external_select", "action_id": "page", "min_query_length": 1}
    return {
        "type": "modal",
        "callback_id": "why",
        "title": plain("Why?"),
        "submit": plain("Send"),
        "blocks": [{"type": "input", "block_id": "b", "label": plain("Page"), "element": element}],
    }
