"""An OpenAI-compatible server that does what a test says: also everything that servers should not.

Each request to ``/v1/chat/completions`` takes the next of ``replies``; where none is left it
gets a good answer.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

Reply = Callable[["Exchange"], None]

CHAT = "/v1/chat/completions"
ANSWER = ("The office ", "is in Kiel.")
PLAIN_MODEL: Mapping[str, Any] = {"id": "plain", "object": "model", "owned_by": "somebody"}


class FaultyServer:
    """``models`` are what it lists; ``routes`` are its other answers, by path."""

    def __init__(
        self,
        *models: Mapping[str, Any],
        routes: Mapping[str, Reply] | None = None,
        refusing: Callable[[dict[str, Any]], str] = lambda body: "",
    ) -> None:
        """``refusing`` gives the reason to answer a chat request with 400, or nothing."""
        self.listing: Any = {"object": "list", "data": list(models) or [PLAIN_MODEL]}
        self.routes = dict(routes or {})
        self.refusing = refusing
        self.replies: deque[Reply] = deque()
        self.chats: list[dict[str, Any]] = []
        self.keys: set[str | None] = set()
        self.headers: set[tuple[str, str]] = set()
        """All that were sent, their names in lower case."""
        self.hanging = threading.Event()
        """Set when a client waits for nothing."""
        self.left = threading.Event()
        """Set when such a client has closed its connection."""
        self._closing = threading.Event()
        self._http = _Http(self)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def will(self, *replies: Reply) -> None:
        """What the next chat requests get. Forgets those before."""
        self.replies = deque(replies)
        self.chats.clear()

    def __enter__(self) -> FaultyServer:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def answer(self, exchange: Exchange) -> None:
        if exchange.path == "/v1/models":
            exchange.json(self.listing)
        elif route := self.routes.get(exchange.path):
            route(exchange)
        elif exchange.path != CHAT:
            exchange.json({"error": {"message": "no such path"}}, 404)
        elif reason := self.refusing(exchange.body):
            exchange.json({"error": {"message": reason}}, 400)
        else:
            self.chats.append(exchange.body)
            reply = self.replies.popleft() if self.replies else good
            reply(exchange)

    def hang(self, exchange: Exchange) -> None:
        """Say nothing until the client leaves or the test ends."""
        self.hanging.set()
        exchange.handler.connection.settimeout(0.02)
        while not self._closing.is_set():
            try:
                if not exchange.handler.connection.recv(1):
                    self.left.set()
                    return
            except TimeoutError:
                continue
            except ConnectionError:
                self.left.set()
                return


class Exchange:
    """One request and the ways to answer it."""

    def __init__(self, server: FaultyServer, handler: BaseHTTPRequestHandler) -> None:
        self.server, self.handler, self.path = server, handler, handler.path
        size = int(handler.headers.get("content-length") or 0)
        self.body: dict[str, Any] = json.loads(handler.rfile.read(size) or b"{}")

    def json(self, body: Any, status: int = 200, **headers: str) -> None:
        self.bytes(json.dumps(body).encode(), "application/json", status, **headers)

    def bytes(self, body: bytes, kind: str, status: int = 200, **headers: str) -> None:
        self.handler.send_response(status)
        self.handler.send_header("content-type", kind)
        self.handler.send_header("content-length", str(len(body)))
        for name, value in headers.items():
            self.handler.send_header(name.replace("_", "-"), value)
        self.handler.end_headers()
        self.handler.wfile.write(body)

    def begin_stream(self) -> None:
        self.handler.send_response(200)
        self.handler.send_header("content-type", "text/event-stream; charset=utf-8")
        self.handler.send_header("connection", "close")
        self.handler.end_headers()

    def event(self, data: str) -> None:
        self.handler.wfile.write(f"data: {data}\n\n".encode())
        self.handler.wfile.flush()

    def delta(self, text: str | None, finish: str | None = None) -> None:
        choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
        self.event(json.dumps({"choices": [choice]}, ensure_ascii=False))


def good(exchange: Exchange) -> None:
    """An answer, or a choice that is clearly Yes."""
    if exchange.body.get("stream"):
        streams(*ANSWER)(exchange)
    else:
        lists({"Yes": -0.1, "No": -3.0})(exchange)


def streams(*deltas: str, finish: str | None = "stop") -> Reply:
    def reply(exchange: Exchange) -> None:
        exchange.begin_stream()
        for delta in deltas:
            exchange.delta(delta)
        exchange.delta(None, finish)
        exchange.event("[DONE]")

    return reply


def sends_events(*events: str) -> Reply:
    """Raw data after a good piece; then the connection ends."""

    def reply(exchange: Exchange) -> None:
        exchange.begin_stream()
        exchange.delta(ANSWER[0])
        for event in events:
            exchange.event(event)

    return reply


def lists(logprobs: Mapping[str, float]) -> Reply:
    """These are the likeliest first tokens."""

    def reply(exchange: Exchange) -> None:
        top = [{"token": token, "logprob": value} for token, value in logprobs.items()]
        content = [{**top[0], "top_logprobs": top}] if top else []
        choice = {"finish_reason": "length", "logprobs": {"content": content}}
        exchange.json({"choices": [choice]})

    return reply


def says(body: Any, status: int = 200, **headers: str) -> Reply:
    return lambda exchange: exchange.json(body, status, **headers)


def refuses(status: int, message: str = "no", **headers: str) -> Reply:
    return says({"error": {"message": message}}, status, **headers)


def sends_page(exchange: Exchange) -> None:
    exchange.bytes(b"<html>Please log in</html>", "text/html")


def hangs(exchange: Exchange) -> None:
    """Before the first header."""
    exchange.server.hang(exchange)


def hangs_midway(exchange: Exchange) -> None:
    exchange.begin_stream()
    exchange.delta(ANSWER[0])
    exchange.server.hang(exchange)


def hangs_in_json(exchange: Exchange) -> None:
    exchange.handler.send_response(200)
    exchange.handler.send_header("content-type", "application/json")
    exchange.handler.send_header("content-length", "99")
    exchange.handler.end_headers()
    exchange.handler.wfile.write(b'{"choices":')
    exchange.server.hang(exchange)


def drops(exchange: Exchange) -> None:
    """The connection, without a word."""
    exchange.handler.close_connection = True


class _Http(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True
    request_queue_size = 64

    def __init__(self, faulty: FaultyServer) -> None:
        self.faulty = faulty
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 0.5  # of an idle connection, so that closing does not wait for clients

    def do_GET(self) -> None:
        assert isinstance(self.server, _Http)
        self.server.faulty.keys.add(self.headers.get("authorization"))
        self.server.faulty.headers |= {(name.lower(), text) for name, text in self.headers.items()}
        self.server.faulty.answer(Exchange(self.server.faulty, self))

    do_POST = do_GET  # noqa: N815 - the names that http.server calls

    def log_message(self, format: str, *args: object) -> None:
        """Tests print nothing."""
