"""Files attached in Slack, from a small server that answers as Slack does.

The local workspace has no files; this is the part of Slack's Web API that the history reads.
"""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from indexer.documents import Audience, Document
from indexer.settings import SlackSource
from indexer.sources.base import Unreadable
from indexer.sources.slack_history import SlackHistory


class Slack(BaseHTTPRequestHandler):
    """One channel with one message that has ``files``; their addresses are below ``/files/``."""

    files: list[dict[str, Any]]
    contents: dict[str, bytes]
    downloads: list[str]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        message = {"ts": "1.000001", "user": "U1", "text": "", "files": self.files}
        answers: dict[str, Any] = {
            "auth.test": {"user_id": "U0", "bot_id": "B0"},
            "users.conversations": {"channels": [{"id": "C1", "name": "help"}]},
            "conversations.history": {"messages": [message]},
            "users.info": {"user": {"name": "alice"}},
        }
        body = {"ok": True, **answers[self.path.rpartition("/")[2]]}
        self._answer(200, json.dumps(body).encode(), "application/json")

    def do_GET(self) -> None:
        self.downloads.append(self.path)
        if self.headers["Authorization"] != "Bearer xoxb":
            self._answer(403, b"", "text/plain")
        elif self.path not in self.contents:
            self.send_response(302)
            self.send_header("Location", "/files/login.html")
            self.end_headers()
        else:
            self._answer(200, self.contents[self.path], "application/octet-stream")

    def log_message(self, *given: object) -> None:
        pass

    def _answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Attached:
    """The running server, whose one message can be given files."""

    def __init__(self) -> None:
        self.handler = type("Handler", (Slack,), {"files": [], "contents": {}, "downloads": []})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def attach(self, name: str, content: bytes | None = None, **more: Any) -> None:
        number = len(self.handler.files) + 1
        path = f"/files/{number}/{name}"
        if content is not None:
            self.handler.contents[path] = content
        self.handler.files.append(
            {
                "id": f"F{number}",
                "name": name,
                "timestamp": 1,
                "size": len(content or b""),
                "permalink": f"https://slack.test/F{number}",
                "url_private": f"{self.url}{path}",
                **more,
            }
        )

    def read(self, cache_path: Path | None = None) -> list[Document | Unreadable]:
        table = SlackSource(name="chat", token=SecretStr("xoxb"), api_url=f"{self.url}/api/")
        return list(SlackHistory(table, cache_path=cache_path).read())

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def slack() -> Iterator[Attached]:
    attached = Attached()
    yield attached
    attached.close()


def test_a_text_file_is_a_document_for_the_channel(slack: Attached) -> None:
    slack.attach("rules.html", b"<h1>Rules</h1>", title="House rules")
    slack.attach("snippet", b"make test", mimetype="text/plain")
    slack.attach("photo.png", b"\x89PNG", mimetype="image/png")
    slack.attach("linked.pdf", b"%PDF", is_external=True)
    found = [one for one in slack.read() if isinstance(one, Document)]
    assert [(one.id, one.title, one.text, one.url) for one in found] == [
        ("chat:C1/F1", "House rules", "# Rules", "https://slack.test/F1"),
        ("chat:C1/F2", "snippet", "make test", "https://slack.test/F2"),
    ]
    assert {one.audience for one in found} == {Audience.of("slack_channel:C1")}


def test_a_file_is_downloaded_once(slack: Attached, tmp_path: Path) -> None:
    slack.attach("rules.txt", b"Be kind.")
    first = slack.read(tmp_path / "chat.sqlite")
    assert slack.read(tmp_path / "chat.sqlite") == first
    assert len(slack.handler.downloads) == 1


@pytest.mark.parametrize(
    ("name", "content", "more", "sentence"),
    [
        ("a.txt", None, {}, "add the scope files:read"),
        ("a.pdf", b"no PDF", {}, "a.pdf in #help: it is damaged"),
        ("a.txt", b"", {"url_private": "https://elsewhere.test/a.txt"}, "not kept by Slack"),
        ("a.txt", b"", {"size": 99 * 2**20}, "larger than 50 MiB"),
        ("a.txt", b"x" * (50 * 2**20 + 1), {"size": 1}, "larger than 50 MiB"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    slack: Attached, name: str, content: bytes | None, more: dict[str, Any], sentence: str
) -> None:
    slack.attach(name, content, **more)
    (found,) = slack.read()
    assert isinstance(found, Unreadable)
    assert found.id == "chat:C1/F1"
    assert sentence in found.reason


def test_the_token_does_not_follow_a_redirect(slack: Attached) -> None:
    slack.attach("a.txt")
    slack.read()
    assert slack.handler.downloads == ["/files/1/a.txt"]
