"""No listener is registered past the gate: by structure, and by what a guest's click comes to."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from slack_bolt import Ack, App, BoltRequest
from slack_sdk import WebClient

from bot.slack.rendering.phrases import Phrasebook, Phrases, phrases_in
from bot.slack.replies.audience import Audiences
from bot.slack.replies.gate import Admission, Gate
from bot.workspace import Workspace

SLACK = Path(__file__).parents[3] / "bot" / "slack"
HANDLES_THE_APP = {
    "app.py",
    "connection/transport.py",
    "listeners/registration.py",
    "replies/gate.py",
}
"""The composition, the transports, what acknowledges the rest, and the gate itself."""


def test_features_are_given_the_gate_and_never_the_app() -> None:
    for path in SLACK.rglob("*.py"):
        name = path.relative_to(SLACK).as_posix()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("slack_bolt"):
                apps = {one.name for one in node.names} & {"App", "AsyncApp"}
                assert not apps or name in HANDLES_THE_APP, f"{name} has the app, not the gate"


def test_registration_itself_registers_only_receipts() -> None:
    tree = ast.parse((SLACK / "listeners" / "registration.py").read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Call):
            registered = [ast.unparse(one) for one in node.args]
            assert registered == ["acknowledge"], ast.unparse(node)


@pytest.mark.parametrize(
    ("admission", "rooms"),
    [("ADMIN", {"admin"}), ("QUESTION", {"listeners"}), ("OWN", {"listeners"})],
)
def test_exceptions_from_the_check_stay_in_their_rooms(admission: str, rooms: set[str]) -> None:
    """ADMIN listeners act under ``Authority``, which refuses guests too."""
    for path in SLACK.rglob("*.py"):
        if f"Admission.{admission}" in path.read_text() and path.name != "gate.py":
            assert path.parent.name in rooms, path
            assert admission != "ADMIN" or "authority.acting" in path.read_text(), path


class English(Phrasebook):
    def __init__(self) -> None:
        """No records."""

    def for_person(self, person: str, about: object = None) -> Phrases:
        return phrases_in()


@pytest.fixture(scope="module")
def workspace() -> Iterator[Workspace]:
    with Workspace() as workspace:
        yield workspace


@pytest.mark.parametrize(
    ("person", "admission", "runs"),
    [
        ("U0ALICE", None, True),
        ("U0CARLA", None, False),
        ("U0NOBODY", None, False),
        ("", None, False),
        ("U0CARLA", Admission.MAY_ASK, False),
        ("U0CARLA", Admission.OWN, True),
    ],
)
def test_a_listener_that_names_no_admission_is_checked(
    workspace: Workspace, person: str, admission: Admission | None, runs: bool
) -> None:
    client = WebClient(token=workspace.bot_token, base_url=workspace.api_url)
    app = App(
        client=client,
        token_verification_enabled=False,
        request_verification_enabled=False,
        process_before_response=True,
    )
    gate, ran = Gate(app, client, Audiences(client), English()), []

    def listener(ack: Ack, body: dict[str, Any]) -> None:
        ran.append(body["user"])
        ack()

    gate.action("press", listener, **({"admission": admission} if admission else {}))
    body = {
        "type": "block_actions",
        "team": {"id": "T1"},
        "user": {"id": person},
        "channel": {"id": "C0HELP"},
        "container": {"type": "message", "message_ts": "1.0", "channel_id": "C0HELP"},
        "actions": [{"type": "button", "action_id": "press", "block_id": "b", "value": ""}],
    }
    response = app.dispatch(BoltRequest(body=body, mode="socket_mode"))
    assert response.status == 200
    assert bool(ran) is runs
