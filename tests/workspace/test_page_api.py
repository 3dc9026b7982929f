"""What guards the page's API, asked from outside the page."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

from bot.workspace import Workspace


def ask_page(workspace: Workspace, body: bytes, **headers: str) -> int:
    """The status of a POST to the page's API from outside the page."""
    request = urllib.request.Request(f"{workspace.url}page-api/post", body, headers)
    try:
        with urllib.request.urlopen(request) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_other_sites_cannot_post(workspace: Workspace) -> None:
    body = json.dumps({"person": "U0ALICE", "channel": "C0HELP", "text": "hi"}).encode()
    as_json = {"Content-Type": "application/json"}
    assert ask_page(workspace, body, **as_json) == 200
    assert ask_page(workspace, body, **as_json, Origin="https://evil.example") == 403
    assert ask_page(workspace, body, **as_json, Host="evil.example") == 403
    assert ask_page(workspace, body, **{"Content-Type": "text/plain"}) == 404
    assert len(workspace.messages("C0HELP")) == 1


def test_page_forbids_foreign_scripts(workspace: Workspace) -> None:
    with urllib.request.urlopen(workspace.url) as response:
        policy = response.headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe-inline" not in policy
