"""The HTTP side against what is not Slack, over real sockets."""

import asyncio
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

import pytest
from slack_bolt import App

from bot.slack.connection.transport import EVENTS_PATH, SlackApplication
from bot.telemetry.health import Health
from bot.telemetry.monitor import Metrics, Monitor
from bot.telemetry.web_server import BoundedBody, Receive, Scope, Send, WebServer

PATIENCE = 1.0
"""Seconds that the servers of these tests wait for a request."""

NOW = str(int(time.time()))
CHUNK = b"%x\r\n%b\r\n" % (1 << 20, b"x" * (1 << 20))


@pytest.fixture
def port() -> Iterator[int]:
    """Of a Bolt app behind its request URL; its Slack is never asked."""
    app = App(token="xoxb-1", signing_secret="secret", token_verification_enabled=False)
    with serving(SlackApplication(app), largest_body=4_000_000) as port:
        yield port


@contextmanager
def serving(application: object, largest_body: int = 0) -> Iterator[int]:
    server = WebServer(
        application,  # type: ignore[arg-type]
        "127.0.0.1:0",
        largest_body=largest_body,
        request_seconds=PATIENCE,
    )
    with closing(server):
        server.start()
        yield server.port


def request(method: str, path: str, *headers: str, body: bytes = b"") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: here", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def post(body: bytes, *headers: str) -> bytes:
    return request("POST", EVENTS_PATH, f"Content-Length: {len(body)}", *headers, body=body)


def status(port: int, sent: bytes) -> int:
    """What one request is answered with; 0 where the server hangs up without a word."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as peer:
        peer.sendall(sent)
        return status_of(peer)


def status_of(peer: socket.socket) -> int:
    with suppress(ConnectionError):
        first = peer.recv(65_536)
        return int(first.split(b" ")[1]) if first else 0
    return 0


def ends(peer: socket.socket) -> bool:
    with suppress(ConnectionError):
        while peer.recv(65_536):
            pass
    return True


@pytest.mark.parametrize(
    "timestamp",
    ["abc", "1e9", "-1", "1_0", "9" * 400, "9" * 5000, "²", "", "nan", "\xff"],
)
def test_a_timestamp_that_is_none_is_refused(port: int, timestamp: str) -> None:
    headers = (f"X-Slack-Request-Timestamp: {timestamp}", "X-Slack-Signature: v0=00")
    assert status(port, post(b"{}", *headers)) in (400, 401)


@pytest.mark.parametrize("signature", ["v0=\xe9", "\xc3\xa9", "v0=", "", "x" * 9000])
def test_a_signature_that_is_none_is_refused(port: int, signature: str) -> None:
    headers = (f"X-Slack-Request-Timestamp: {NOW}", f"X-Slack-Signature: {signature}")
    assert status(port, post(b"{}", *headers)) in (400, 401)


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe",
        b"{",
        b"{" * 100_000,
        b'{"a":' * 100_000,
        b"payload={",
        b"payload=[1]",
        b"payload=null",
        b"payload=%ff",
        b'{"team": 5, "authorizations": 5}',
        b'{"authorizations": [[]]}',
        b'{"event": "x", "enterprise": 5}',
        b'{"authorizations": {"a": 1}}',
        b"\0",
        b"a=%00",
        b'{"a": 1' + b"1" * 5000 + b"}",
    ],
)
def test_bytes_that_are_not_slacks_are_a_bad_request(port: int, body: bytes) -> None:
    assert status(port, post(body, "Content-Type: application/x-www-form-urlencoded")) in (400, 401)
    assert status(port, post(body, "Content-Type: application/json")) in (400, 401)


@pytest.mark.parametrize("body", [b"[1]", b"null", b'"x"', b"1"])
def test_json_that_is_no_object_is_a_bad_request(port: int, body: bytes) -> None:
    assert status(port, post(body, "Content-Type: application/json")) == 400


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"])
@pytest.mark.parametrize("path", [EVENTS_PATH, "/slack/install", "/metrics", "/"])
def test_only_a_post_may_have_a_body(port: int, method: str, path: str) -> None:
    told = request(method, path, "Content-Length: 1", body=b"x")
    assert status(port, told) == 413
    chunked = request(method, path, "Transfer-Encoding: chunked", body=b"1\r\nx\r\n0\r\n\r\n")
    assert status(port, chunked) == 413
    assert status(port, request(method, path)) == 404


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
@pytest.mark.parametrize("length", [(), ("Content-Length: 5",)])
def test_a_body_that_never_ends_takes_no_memory(
    port: int, method: str, length: tuple[str, ...]
) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with socket.create_connection(("127.0.0.1", port), timeout=20) as peer:
        peer.sendall(request(method, EVENTS_PATH, *length, "Transfer-Encoding: chunked"))
        assert status_of(peer) in (400, 413)
        with suppress(ConnectionError):
            for _ in range(300):
                peer.sendall(CHUNK)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 50_000  # kilobytes


def test_what_is_sent_after_the_answer_is_read_until_the_deadline_only(port: int) -> None:
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=20) as peer:
        peer.sendall(request("PUT", "/", "Transfer-Encoding: chunked"))
        assert status_of(peer) == 413
        with suppress(ConnectionError):
            while time.monotonic() < began + 10:
                peer.sendall(b"1\r\nx\r\n")
                time.sleep(0.05)
    assert time.monotonic() < began + 5


@pytest.mark.parametrize(
    ("first", "drop"),
    [
        (b"", b""),
        (b"P", b""),
        (b"POST /slack/events HTTP/1.1\r\n", b"X-A: b\r\n"),
        (b"GET /healthz HTTP/1.1\r\nHost: here\r\nX-A: ", b"b"),
        (post(b"x" * 10_000)[:-9_999], b"x"),
        (request("POST", EVENTS_PATH, "Content-Length: 100"), b""),
    ],
)
def test_a_request_that_comes_drop_by_drop_is_ended(port: int, first: bytes, drop: bytes) -> None:
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=20) as peer:
        peer.sendall(first)
        peer.settimeout(0.1)
        said = b""
        while time.monotonic() < began + 10:
            with suppress(ConnectionError):
                try:
                    got = peer.recv(1000)
                    said += got
                    if not got:
                        break
                except TimeoutError:
                    peer.sendall(drop)
                    continue
                continue
            break
    assert PATIENCE * 0.9 < time.monotonic() - began < 5
    assert not first or said.startswith(b"HTTP/1.1 408 ")


def test_a_second_request_on_the_connection_has_a_deadline_too(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as peer:
        for _ in range(3):
            peer.sendall(request("GET", "/"))
            said = b""
            while b"Not Found" not in said.partition(b"\r\n\r\n")[2]:
                said += peer.recv(1000)
            time.sleep(PATIENCE * 0.7)  # idle between two requests: no part of either
        peer.sendall(b"GET / HT")
        began = time.monotonic()
        assert status_of(peer) == 408
        assert ends(peer)
    assert time.monotonic() < began + 5


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"G\xff / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 100_000,
    ],
)
def test_what_is_no_http_is_refused(port: int, garbage: bytes) -> None:
    assert 400 <= status(port, garbage) < 600
    assert status(port, request("GET", "/")) == 404


@pytest.mark.parametrize(
    "odd",
    [
        request("CONNECT", "here:80"),
        request("OPTIONS", "*"),
        request("GET", "http://elsewhere/slack/events"),
        request("GET", "/%00%ff/../%2e"),
        request("GET", "/?%00=%ff"),
        request("GET", "/", "Upgrade: websocket", "Connection: Upgrade", "X: \xff"),
        request("GET", "/", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c"),
    ],
)
def test_what_is_odd_is_not_found(port: int, odd: bytes) -> None:
    assert status(port, odd) == 404


def test_broken_chunks_leave_no_traceback(port: int, caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as peer:
        peer.sendall(request("POST", EVENTS_PATH, "Transfer-Encoding: chunked"))
        assert status_of(peer) == 413
        peer.sendall(b"zz\r\n")
        assert ends(peer)
    assert status(port, post(b"x" * 50)[:-10]) == 408
    with socket.create_connection(("127.0.0.1", port), timeout=20) as peer:
        peer.sendall(post(b"x" * 50)[:-10])
    time.sleep(0.2)
    assert not [record for record in caplog.records if record.exc_info]


def test_too_many_connections_leave_room_for_slack(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.telemetry.web_server._MOST_CONNECTIONS", 20)
    held = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(40)]
    assert all(ends(peer) for peer in held[30:])
    time.sleep(PATIENCE * 1.5)
    assert status(port, request("GET", "/")) == 404
    for peer in held:
        peer.close()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_the_monitor_only_shows(method: str) -> None:
    with serving(Monitor(Health({}), Metrics())) as port:
        assert status(port, request(method, "/healthz")) == 405
        assert status(port, request(method, "/metrics", "Content-Length: 5", body=b"x")) == 413
        assert status(port, request("GET", "/healthz")) == 200
        assert status(port, request("HEAD", "/healthz")) == 200


def test_a_body_is_counted_also_where_its_length_was_announced_wrongly() -> None:
    read = []

    async def application(_scope: Scope, receive: Receive, _send: Send) -> None:
        while True:
            read.append(await receive())

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"x" * 10, "more_body": True}

    said: list[object] = []

    async def send(message: object) -> None:
        said.append(message)

    scope = {"type": "http", "method": "POST", "headers": [(b"content-length", b"5")]}
    asyncio.run(BoundedBody(application, 95)(scope, receive, send))  # type: ignore[arg-type]
    assert len(read) == 9
    assert said[0]["status"] == 413  # type: ignore[index]
