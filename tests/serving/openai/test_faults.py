"""Whatever a server does wrong is one sentence, in time, and never a shortened answer."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing

import pytest

from bot.domain.errors import (
    Cancelled,
    DeadlineExceeded,
    ModelBusy,
    ModelError,
    ModelUnreachable,
    PromptTooLong,
)
from bot.domain.values import Message
from bot.serving.breaker import CircuitBreaker
from bot.serving.model import Cancellation
from bot.serving.openai.connection import RequestPolicy
from bot.serving.openai.remote import RemoteModel
from tests.services.faulty_openai import (
    ANSWER,
    CHAT,
    FaultyServer,
    Reply,
    drops,
    good,
    hangs,
    hangs_in_json,
    hangs_midway,
    refuses,
    sends_events,
    sends_page,
    streams,
)

KEY = "sk-very-secret-1234"
QUESTION = [Message("user", "Where is the office?")]
HURRIED = RequestPolicy(longest_pause=0.02)
LONG = 10.0  # seconds; nothing waits so long unless it is broken

Call = Callable[[RemoteModel, Cancellation | None], object]


def stream(model: RemoteModel, cancellation: Cancellation | None = None) -> str:
    return "".join(model.stream(QUESTION, cancellation=cancellation))


def choose(model: RemoteModel, cancellation: Cancellation | None = None) -> object:
    return model.choose(QUESTION, ["Is it?"], ["Yes", "No"], cancellation)


def choose_twice(model: RemoteModel, cancellation: Cancellation | None = None) -> object:
    return model.choose(QUESTION, ["Is it?", "And is it good?"], ["Yes", "No"], cancellation)


CALLS: list[Call] = [stream, choose]
HANGING: list[tuple[list[Reply], Call]] = [
    ([hangs], stream),
    ([hangs_midway], stream),
    ([hangs], choose),
    ([good, hangs], choose_twice),
]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with FaultyServer() as server:
        yield server


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def model(server: FaultyServer, clock: Clock) -> Iterator[RemoteModel]:
    breaker = CircuitBreaker(failures=2, seconds=30, clock=clock)
    with closing(
        RemoteModel.connect(server.url, api_key=KEY, policy=HURRIED, breaker=breaker)
    ) as model:
        yield model


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as thread:
        yield thread


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "fault", [drops, refuses(500), refuses(503), refuses(429, retry_after="0")]
)
def test_passing_fault_is_tried_again(
    model: RemoteModel, server: FaultyServer, fault: Reply, call: Call
) -> None:
    expected = call(model, None)
    server.will(fault, fault)
    assert call(model, None) == expected
    assert len(server.chats) == 3


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("fault", "error", "says"),
    [
        (drops, ModelUnreachable, "broke off the connection"),
        (refuses(500, "CUDA error"), ModelUnreachable, r"fails \(HTTP 500\).* 'CUDA error'"),
        (refuses(429), ModelBusy, "too much to do"),
    ],
)
def test_lasting_fault_is_an_error_after_three_attempts(
    model: RemoteModel,
    server: FaultyServer,
    fault: Reply,
    error: type[ModelError],
    says: str,
    call: Call,
) -> None:
    server.will(fault, fault, fault, fault)
    with pytest.raises(error, match=says):
        call(model, None)
    assert len(server.chats) == 3


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("fault", "error", "says"),
    [
        (refuses(429, retry_after="3600"), ModelBusy, "too much to do"),
        (refuses(503, retry_after="60"), ModelUnreachable, r"fails \(HTTP 503\)"),
        (refuses(302, location="/v1/elsewhere"), ModelError, r"\(HTTP 302\): check \[model\] url"),
        (refuses(401), ModelError, r"\[model\] api_key"),
        (refuses(403), ModelError, r"\[model\] api_key"),
        (refuses(404, "no such model"), ModelError, r"\[model\] url and name.*no such model"),
        (
            refuses(400, "This model's maximum context length is 512 tokens. However, ..."),
            PromptTooLong,
            "512 tokens",
        ),
        (sends_page, ModelUnreachable, "url right"),
    ],
)
def test_fault_that_stays_is_an_error_at_once(
    model: RemoteModel,
    server: FaultyServer,
    fault: Reply,
    error: type[ModelError],
    says: str,
    call: Call,
) -> None:
    server.will(fault)
    with pytest.raises(error, match=says):
        call(model, None)
    assert len(server.chats) == 1


def test_one_failing_judgement_of_several_is_the_error_of_all(
    model: RemoteModel, server: FaultyServer
) -> None:
    server.will(good, refuses(400, "bad luck"))
    with pytest.raises(ModelError, match="bad luck"):
        model.choose(QUESTION, ["one?", "two?", "three?"], ["Yes", "No"])


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (sends_events(), "broke off in the middle"),
        (sends_events("[DONE]"), "broke off in the middle"),
        (sends_events("{not json"), "not answer as"),
        (sends_events('"a string"'), "not answer as"),
        (sends_events('{"choices": [{"delta": {"content": 7}}]}'), "not answer as"),
        (sends_events('{"error": {"message": "out of memory"}}'), "'out of memory'"),
        (sends_events('{"error": {"message": "context size exceeded"}}'), "'context size"),
        (streams(*ANSWER, finish="content_filter"), "gave the answer up: 'content_filter'"),
    ],
)
def test_answer_that_breaks_off_is_an_error_and_never_looks_finished(
    model: RemoteModel, server: FaultyServer, fault: Reply, says: str
) -> None:
    server.will(fault)
    pieces = model.stream(QUESTION)
    assert next(pieces) == ANSWER[0]
    with pytest.raises(ModelUnreachable, match=says):
        list(pieces)
    assert len(server.chats) == 1


@pytest.mark.parametrize("fault", [hangs, hangs_midway])
def test_silence_is_an_error_when_it_lasts(server: FaultyServer, fault: Reply) -> None:
    with closing(RemoteModel.connect(server.url, timeout_seconds=1)) as model:
        server.will(fault)
        with pytest.raises(ModelUnreachable, match=r"said nothing for 1 seconds"):
            stream(model)


@pytest.mark.parametrize(
    ("fault", "call"),
    [(hangs, stream), (hangs_midway, stream), (hangs, choose), (hangs_in_json, choose)],
)
def test_silent_server_is_not_asked_again(server: FaultyServer, fault: Reply, call: Call) -> None:
    with closing(RemoteModel.connect(server.url, timeout_seconds=0.3)) as model:
        server.will(fault)
        with pytest.raises(ModelUnreachable, match=r"said nothing for 0\.3 seconds"):
            call(model, None)
        assert len(server.chats) == 1


def waiting(
    thread: ThreadPoolExecutor,
    server: FaultyServer,
    model: RemoteModel,
    call: Call,
    cancellation: Cancellation | None = None,
) -> Future[object]:
    """A call that the server lets hang."""
    future = thread.submit(call, model, cancellation)
    assert server.hanging.wait(LONG)
    return future


@pytest.mark.parametrize(("faults", "call"), HANGING)
def test_cancelled_call_leaves_a_silent_server(
    model: RemoteModel,
    server: FaultyServer,
    thread: ThreadPoolExecutor,
    faults: list[Reply],
    call: Call,
) -> None:
    server.will(*faults)
    cancellation = Cancellation()
    future = waiting(thread, server, model, call, cancellation)
    cancellation.cancel()
    with pytest.raises(Cancelled):
        future.result(LONG)
    assert server.left.wait(LONG)


@pytest.mark.parametrize(("faults", "call"), HANGING)
def test_deadline_ends_a_call_to_a_silent_server(
    model: RemoteModel, server: FaultyServer, faults: list[Reply], call: Call
) -> None:
    server.will(*faults)
    with pytest.raises(DeadlineExceeded):
        call(model, Cancellation.after(1))
    assert server.left.wait(LONG)


def test_abandoned_answer_leaves_the_server(model: RemoteModel, server: FaultyServer) -> None:
    server.will(hangs_midway)
    pieces = model.stream(QUESTION)
    next(pieces)
    assert isinstance(pieces, Generator)
    pieces.close()
    assert server.left.wait(LONG)


@pytest.mark.parametrize("call", CALLS)
def test_closing_ends_waiting_calls(
    model: RemoteModel, server: FaultyServer, thread: ThreadPoolExecutor, call: Call
) -> None:
    server.will(hangs)
    future = waiting(thread, server, model, call)
    model.close()
    with pytest.raises(ModelError, match="closed"):
        future.result(LONG)
    assert server.left.wait(LONG)


def test_server_that_keeps_failing_is_left_alone_and_tried_later(
    model: RemoteModel, server: FaultyServer, clock: Clock
) -> None:
    for _ in range(2):
        server.will(sends_events())
        with pytest.raises(ModelUnreachable):
            stream(model)
    server.will()
    for call in CALLS:
        with pytest.raises(ModelUnreachable, match="in 30 seconds"):
            call(model, None)
    assert server.chats == []
    clock.now += 30
    assert stream(model) == "".join(ANSWER)
    assert choose(model)


def test_server_that_refuses_is_not_one_that_fails(
    model: RemoteModel, server: FaultyServer
) -> None:
    server.will(*[refuses(400)] * 5)
    for _ in range(5):
        with pytest.raises(ModelError, match="HTTP 400"):
            stream(model)
    assert stream(model) == "".join(ANSWER)


def test_server_that_is_not_there_is_an_error_with_its_address() -> None:
    with FaultyServer() as server:
        url = server.url
    with pytest.raises(ModelUnreachable, match=r"127\.0\.0\.1:\d+ cannot be reached.*url"):
        RemoteModel.connect(url, policy=HURRIED)


def test_failed_connect_leaves_no_thread(server: FaultyServer) -> None:
    server.will(refuses(401))
    with pytest.raises(ModelError):
        RemoteModel.connect(server.url)
    assert "remote model" not in {thread.name for thread in threading.enumerate()}


def test_key_is_sent_and_never_shown(
    model: RemoteModel, server: FaultyServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    stream(model)
    faults = [refuses(400, f"bad {KEY}"), sends_events(f'{{"error": "bad {KEY}"}}'), refuses(401)]
    shown = [repr(model), str(vars(model)), str(vars(model._connection))]
    for fault in faults:
        server.will(fault)
        with pytest.raises(ModelError) as error:
            stream(model)
        shown += [str(error.value), repr(error.value)]
    assert server.keys == {f"Bearer {KEY}"}
    assert KEY not in "".join([*shown, caplog.text])


def test_key_does_not_follow_a_redirect(model: RemoteModel, server: FaultyServer) -> None:
    with FaultyServer() as other:
        server.will(refuses(307, location=other.url + CHAT))
        with pytest.raises(ModelError, match="HTTP 307"):
            stream(model)
    assert not other.headers


@pytest.mark.parametrize("key", ["", KEY])
def test_nothing_of_the_environment_or_the_machine_is_sent(
    server: FaultyServer, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    for name in ("API_KEY", "ADMIN_KEY", "ORG_ID", "PROJECT_ID", "WEBHOOK_SECRET"):
        monkeypatch.setenv(f"OPENAI_{name}", "from-outside")
    elsewhere = "http://127.0.0.1:1"
    for name in ("OPENAI_BASE_URL", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, elsewhere)
    lines = ("Authorization: from-outside", "Host: from-outside", "Content-Type: from-outside")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "\n".join(lines))
    with closing(RemoteModel.connect(server.url, api_key=key)) as model:
        stream(model)
        choose(model)
    sent = {
        (name, text)
        for name, text in server.headers
        if name not in {"accept", "accept-encoding", "connection", "content-length", "user-agent"}
    }
    expected = {("host", server.url.removeprefix("http://")), ("content-type", "application/json")}
    assert sent == expected | ({("authorization", f"Bearer {key}")} if key else set())


@pytest.mark.parametrize("key", ["sk-1\n", "sk-1 ", "sk-é", "sk-1\x00"])
def test_key_that_no_header_can_hold_is_refused_unseen(server: FaultyServer, key: str) -> None:
    with pytest.raises(ModelError, match=r"\[model\] api_key") as error:
        RemoteModel.connect(server.url, api_key=key)
    assert key not in str(error.value)


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8080",
        "ftp://host",
        "http://",
        "http://host:99999",
        "http://a:b@host",
        "http://h/v1?key=b",
    ],
)
def test_address_that_is_none_or_holds_a_secret_is_refused(url: str) -> None:
    with pytest.raises(ModelError, match=r"\[model\] url"):
        RemoteModel.connect(url)
