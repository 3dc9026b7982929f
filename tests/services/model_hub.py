"""A server of model files, and of the part of the Hugging Face hub that a download needs.

It resumes (Range, If-Range), redirects from the hub to another origin as the real one does, cuts
connections, and keeps what it was asked.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"
_RESOLVE = re.compile(r"/(?P<repository>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<file>.+)")


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]


@dataclass
class ModelHub:
    """``files`` by path; ``owner/repository/file`` is also a file of the hub.

    ``cuts`` says for each coming GET after how many bytes its connection breaks; ``statuses``
    what each coming request is answered with instead; ``refusal`` is the hub's X-Error-Code.
    """

    port: int = 0
    files: dict[str, bytes] = field(default_factory=dict)
    cuts: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    refusal: str = ""
    resumes: bool = True
    tells_etag: bool = True
    announced: int = 0
    """A Content-Length that is not the file's."""
    requests: list[Request] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def other_origin(self) -> str:
        """The same server by another name: what is secret to one is not sent to the other."""
        return f"http://localhost:{self.port}"

    def asked(self, method: str = "GET") -> list[Request]:
        return [request for request in self.requests if request.method == method]


@pytest.fixture
def model_hub() -> Iterator[ModelHub]:
    with running() as hub:
        yield hub


@contextmanager
def running() -> Iterator[ModelHub]:
    hub = ModelHub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    hub.port = server.server_port
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(hub: ModelHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"  # one request a connection: none is left open

        def do_GET(self) -> None:
            hub.requests.append(Request(self.command, self.path, dict(self.headers)))
            path = self.path.partition("?")[0]
            if hub.statuses and (status := hub.statuses.pop(0)) != 200:
                self._head(status)
            elif found := _RESOLVE.fullmatch(path):
                self._resolve(f"{found['repository']}/{found['file']}")
            elif (content := hub.files.get(path.removeprefix("/"))) is None:
                self._head(404)
            else:
                self._send(content)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Tests read answers, not logs."""

        def _resolve(self, name: str) -> None:
            content = hub.files.get(name)
            if hub.refusal or content is None:
                status = 403 if hub.refusal == "GatedRepo" else 404
                self._head(status, {"X-Error-Code": hub.refusal or "EntryNotFound"})
                return
            facts = {
                "X-Repo-Commit": COMMIT,
                "X-Linked-Etag": f'"{hashlib.sha256(content).hexdigest()}"',
                "X-Linked-Size": str(len(content)),
                "Location": f"{hub.other_origin}/{name}",
            }
            self._head(302, {key: value for key, value in facts.items() if value})

        def _send(self, content: bytes) -> None:
            etag = f'"{hashlib.md5(content).hexdigest()}"'
            start = self._start(etag)
            if start >= len(content) > 0:
                self._head(416, {"Content-Range": f"bytes */{len(content)}"})
                return
            headers = {"Content-Length": str(hub.announced or len(content) - start)}
            if hub.tells_etag:
                headers["ETag"] = etag
            if start:
                headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self._head(206 if start else 200, headers)
            if self.command == "GET":
                end = start + hub.cuts.pop(0) if hub.cuts else len(content)
                self.wfile.write(content[start:end])

        def _start(self, etag: str) -> int:
            found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            unchanged = self.headers.get("If-Range", etag) == etag
            return int(found[1]) if found and unchanged and hub.resumes else 0

        def _head(self, status: int, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in ({"Content-Length": "0"} | (headers or {})).items():
                self.send_header(name, value)
            self.end_headers()

    return Handler
