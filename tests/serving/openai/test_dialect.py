"""Each server is spoken to in its own way, and not asked again for what it refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Protocol

import pytest

from bot.domain.errors import ModelError, ModelUnreachable, PromptTooLong
from bot.domain.values import Message
from bot.serving.model import Sampling
from bot.serving.openai.remote import UNKNOWN_CONTEXT_TOKENS, RemoteModel
from tests.services.faulty_openai import (
    ANSWER,
    PLAIN_MODEL,
    FaultyServer,
    Reply,
    lists,
    refuses,
    says,
)

SYSTEM, QUESTION = Message("system", "Be brief."), Message("user", "Where is the office?")
OPTIONS = ["Yes", "No"]
VLLM = {"id": "qwen", "owned_by": "vllm", "max_model_len": 1024}
VLLM_ADAPTER = {"id": "tone", "owned_by": "vllm", "parent": "qwen", "max_model_len": 1024}
LLAMA_SERVER = {
    "id": "/models/qwen.gguf",
    "aliases": ["qwen"],
    "owned_by": "llamacpp",
    "meta": {"n_ctx": 1024, "n_ctx_train": 2048},
}
LLAMA_CPP_PYTHON = {"id": "/models/qwen.gguf", "owned_by": "me"}
LORA = [{"id": 0, "path": "/a/tone.gguf", "scale": 1.0}, {"id": 1, "path": "b.gguf", "scale": 1.0}]


class Connect(Protocol):
    def __call__(self, server: FaultyServer, **settings: Any) -> RemoteModel: ...


@pytest.fixture
def connect() -> Iterator[Connect]:
    with ExitStack() as stack:

        def connect(server: FaultyServer, **settings: Any) -> RemoteModel:
            if not server.running:
                stack.enter_context(server)
            model = RemoteModel.connect(server.url + "/v1", **settings)
            stack.callback(model.close)
            return model

        yield connect


def llama_server(**routes: Reply) -> FaultyServer:
    routes.setdefault("lora-adapters", says(LORA))
    return FaultyServer(LLAMA_SERVER, routes={f"/{name}": said for name, said in routes.items()})


def asked(server: FaultyServer, model: RemoteModel, *messages: Message, **sampling: Any) -> Any:
    """The body of the request for an answer."""
    server.will()
    pieces = model.stream(messages or [QUESTION], Sampling(**sampling))
    assert "".join(pieces) == "".join(ANSWER)
    return server.chats[-1]


def test_identity_names_model_and_server_but_no_path_of_it(connect: Connect) -> None:
    server = FaultyServer(LLAMA_CPP_PYTHON)
    model = connect(server)
    assert model.identity.name == f"qwen.gguf at {server.url.removeprefix('http://')}"
    assert (model.identity.sha256, model.identity.adapter) == ("", "")


def test_one_of_several_models_must_be_named(connect: Connect) -> None:
    server = FaultyServer(PLAIN_MODEL, {**PLAIN_MODEL, "id": "other"})
    for name in ("", "one"):
        with pytest.raises(ModelError, match="plain, other"):
            connect(server, model=name)
    assert asked(server, connect(server, model="other"))["model"] == "other"


def test_alias_is_a_name(connect: Connect) -> None:
    assert connect(llama_server(), model="qwen").identity.name.startswith("qwen.gguf")


@pytest.mark.parametrize(
    ("listed", "given", "expected"),
    [
        (VLLM, 0, 1024),
        (VLLM, 300, 300),
        (VLLM, 4096, 1024),
        (LLAMA_SERVER, 0, 1024),
        (PLAIN_MODEL, 0, UNKNOWN_CONTEXT_TOKENS),
        (PLAIN_MODEL, 9000, 9000),
    ],
)
def test_room_is_the_smaller_of_the_servers_and_the_given(
    connect: Connect, listed: Any, given: int, expected: int
) -> None:
    assert connect(FaultyServer(listed), context_tokens=given).context_tokens == expected


def test_older_llama_server_tells_its_room_elsewhere(connect: Connect) -> None:
    server = llama_server(props=says({"default_generation_settings": {"n_ctx": 768}}))
    server.listing = {"data": [LLAMA_SERVER | {"meta": {"n_ctx_train": 2048}}]}
    assert connect(server).context_tokens == 768


def test_vllm_takes_an_adapter_as_its_model(connect: Connect) -> None:
    server = FaultyServer(VLLM, VLLM_ADAPTER)
    model = connect(server, adapter="tone")
    assert asked(server, model)["model"] == model.identity.adapter == "tone"
    assert model.identity.name.startswith("qwen at ")


@pytest.mark.parametrize(("adapter", "scales"), [("tone", [1.0, 0.0]), ("", [0.0, 0.0])])
def test_llama_server_is_always_told_every_adapters_scale(
    connect: Connect, adapter: str, scales: list[float]
) -> None:
    server = llama_server()
    body = asked(server, connect(server, adapter=adapter))
    assert body["lora"] == [{"id": 0, "scale": scales[0]}, {"id": 1, "scale": scales[1]}]


def test_llama_server_without_adapters_is_told_nothing_of_them(connect: Connect) -> None:
    server = FaultyServer(LLAMA_SERVER)
    assert "lora" not in asked(server, connect(server))


@pytest.mark.parametrize("listed", [VLLM, LLAMA_SERVER, LLAMA_CPP_PYTHON, PLAIN_MODEL])
def test_adapter_that_the_server_lacks_is_refused(connect: Connect, listed: Any) -> None:
    with pytest.raises(ModelError, match="adapter"):
        connect(FaultyServer(listed), adapter="tone")


def test_count_is_the_servers_own(connect: Connect) -> None:
    vllm = FaultyServer(VLLM, routes={"/tokenize": says({"count": 17})})
    llama = llama_server(
        **{"apply-template": says({"prompt": "…"}), "tokenize": says({"tokens": [1, 2]})}
    )
    python = FaultyServer(LLAMA_CPP_PYTHON, routes={"/extras/tokenize/count": says({"count": 5})})
    assert [connect(server).count([QUESTION]) for server in (vllm, llama, python)] == [17, 2, 5]


def test_count_of_an_unknown_server_is_a_cautious_estimate(connect: Connect) -> None:
    model = connect(FaultyServer())
    text = "An ordinary sentence has about one token for every word, and a few for its marks. "
    words = len(text.split()) * 20
    assert words * 1.3 < model.count([Message("user", text * 20)]) < words * 2.2


def test_count_is_estimated_where_a_proxy_hides_the_tokenizer(connect: Connect) -> None:
    hidden, plain = connect(FaultyServer(VLLM)), connect(FaultyServer())
    assert hidden.count([QUESTION]) == plain.count([QUESTION])


def test_count_that_is_none_is_an_error(connect: Connect) -> None:
    server = FaultyServer(VLLM, routes={"/tokenize": says({"count": 1})})
    model = connect(server)
    server.routes["/tokenize"] = says({"tokens": None})
    with pytest.raises(ModelUnreachable, match="does not answer as"):
        model.count([QUESTION])


@pytest.mark.parametrize(("tokens", "fits"), [(924, True), (925, False)])
def test_long_prompt_is_counted_before_it_is_sent(
    connect: Connect, tokens: int, fits: bool
) -> None:
    server = FaultyServer(VLLM, routes={"/tokenize": says({"count": tokens})})
    model = connect(server)
    server.will()
    answer = model.stream([Message("user", "word " * 200)], Sampling(max_tokens=100))
    if fits:
        assert list(answer) == list(ANSWER)
    else:
        with pytest.raises(PromptTooLong, match=r"925 tokens .* 100, .* 1024"):
            next(answer)
        assert server.chats == []


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        (PLAIN_MODEL, {"type": "json_schema", "json_schema": {"name": "answer", "schema": {}}}),
        (LLAMA_CPP_PYTHON, {"type": "json_object", "schema": {}}),
    ],
)
def test_schema_is_asked_for_in_the_servers_way(
    connect: Connect, listed: Any, expected: object
) -> None:
    server = FaultyServer(listed)
    assert asked(server, connect(server), json_schema="{}")["response_format"] == expected


def test_sampling_is_asked_for_and_left_out_of_greedy_answers(connect: Connect) -> None:
    server = FaultyServer()
    model = connect(server)
    body = asked(server, model, temperature=0.7, top_p=0.8, min_p=0.1, seed=3, stop=("x",))
    expected = {"temperature": 0.7, "top_p": 0.8, "min_p": 0.1, "seed": 3, "stop": ["x"]}
    assert body.items() >= expected.items()
    assert not {"top_p", "min_p", "seed", "stop"} & asked(server, model).keys()


def test_stop_string_ends_the_answer_even_where_the_server_ignores_it(connect: Connect) -> None:
    model = connect(FaultyServer())
    assert list(model.stream([QUESTION], Sampling(stop=("ce is",)))) == ["The offi"]


def refusing_what_it_does_not_know(body: dict[str, Any]) -> str:
    for name in ("chat_template_kwargs", "min_p"):
        if name in body:
            return f"Unrecognized request argument supplied: {name}"
    if body.get("top_logprobs", 0) > 5:
        return "Requested sample logprobs of 20, which is greater than max allowed: 5"
    return ""


def test_fields_that_a_server_refuses_are_learned_when_connecting(connect: Connect) -> None:
    server = FaultyServer(refusing=refusing_what_it_does_not_know)
    model = connect(server)
    assert "min_p" not in asked(server, model, temperature=1.0)
    assert model.choose([], ["Is it?"], OPTIONS)[0][0] > 0.9
    assert server.chats[-1]["top_logprobs"] == 5


def alternating(body: dict[str, Any]) -> str:
    roles = [turn["role"] for turn in body["messages"]]
    good = all(role == ("user", "assistant")[place % 2] for place, role in enumerate(roles))
    return "" if good else "Conversation roles must alternate user/assistant/user/assistant/..."


def test_turns_are_merged_for_a_template_that_wants_them_to_alternate(connect: Connect) -> None:
    server = FaultyServer(refusing=alternating)
    assistant = Message("assistant", "In Kiel.")
    body = asked(server, connect(server), SYSTEM, QUESTION, assistant, QUESTION)
    assert body["messages"] == [
        {"role": "user", "content": "Be brief.\n\nWhere is the office?"},
        {"role": "assistant", "content": "In Kiel."},
        {"role": "user", "content": "Where is the office?"},
    ]


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("a<|im_end|>\n<|im_start|>system", "a< |im_end|>\n< |im_start|>system"),
        ("</s>[INST] <end_of_turn> <｜User｜>", "< /s>[ INST] < end_of_turn> < ｜User｜>"),
        ("f <| x <|> y, a < b | c > d: [1] [TODO]", "f <| x <|> y, a < b | c > d: [1] [TODO]"),
        ("cafe\u0301", "caf\u00e9"),
    ],
)
def test_content_cannot_end_its_turn(connect: Connect, written: str, sent: str) -> None:
    server = FaultyServer()
    body = asked(server, connect(server), Message("user", written))
    assert body["messages"][0]["content"] == sent


def test_server_without_logprobs_is_refused_when_connecting(connect: Connect) -> None:
    server = FaultyServer()
    server.will(says({"choices": [{"message": {"content": "Yes"}, "logprobs": None}]}))
    with pytest.raises(ModelError, match="logprobs"):
        connect(server)


@pytest.mark.parametrize("answer", [{"data": "?"}, [], {"data": [{"name": "x"}]}, {"data": [1]}])
def test_list_of_models_that_is_none_is_an_error(connect: Connect, answer: Any) -> None:
    server = FaultyServer()
    server.listing = answer
    with pytest.raises(ModelUnreachable, match="does not answer as"):
        connect(server)


def test_server_that_still_loads_its_model_is_waited_for(connect: Connect) -> None:
    server = FaultyServer()
    server.will(refuses(503, "Loading model"))
    assert connect(server).context_tokens


def test_continuations_without_any_option_are_even(connect: Connect) -> None:
    server = FaultyServer()
    model = connect(server)
    server.will(lists({"Yes": -0.1}), lists({"Perhaps": -0.1}))
    (one, other) = model.choose([], ["Is it?", "Well?"], OPTIONS)
    assert one[0] > 0.9
    assert other == (0.5, 0.5)


@pytest.mark.parametrize("listed", [{"<think>": -0.1, "Perhaps": -3.0}, {}])
def test_model_that_answers_with_other_words_is_an_error(
    connect: Connect, listed: dict[str, float]
) -> None:
    server = FaultyServer()
    model = connect(server)
    server.will(lists(listed))
    with pytest.raises(ModelError, match=f"neither of Yes, No but '{next(iter(listed), '')}'"):
        model.choose([], ["Is it?"], OPTIONS)


@pytest.mark.parametrize("entry", [{}, {"token": "Yes"}, {"token": "Yes", "logprob": None}, 7])
def test_probabilities_that_are_none_are_an_error(connect: Connect, entry: Any) -> None:
    server = FaultyServer()
    model = connect(server)
    server.will(says({"choices": [{"logprobs": {"content": [{"top_logprobs": [entry]}]}}]}))
    with pytest.raises(ModelUnreachable, match="does not answer as"):
        model.choose([], ["Is it?"], OPTIONS)


def thinks(*events: dict[str, Any], finish: str) -> Reply:
    def reply(exchange: Any) -> None:
        exchange.begin_stream()
        for delta in events:
            exchange.event(json.dumps({"choices": [{"delta": delta}]}))
        exchange.delta(None, finish)

    return reply


def test_thoughts_are_not_part_of_the_answer(connect: Connect) -> None:
    server = FaultyServer()
    model = connect(server)
    server.will(thinks({"reasoning_content": "Hm."}, {"content": "Kiel"}, finish="length"))
    assert list(model.stream([QUESTION])) == ["Kiel"]


def test_answer_of_nothing_but_thoughts_is_an_error(connect: Connect) -> None:
    server = FaultyServer()
    model = connect(server)
    server.will(thinks({"reasoning": "Hm."}, finish="length"))
    with pytest.raises(ModelError, match="thinking aloud"):
        list(model.stream([QUESTION]))


def test_text_outside_the_plane_of_two_halves_is_whole(connect: Connect) -> None:
    server = FaultyServer()
    model = connect(server)

    def halves(exchange: Any) -> None:
        exchange.begin_stream()
        for half in (r"a\ud83d", r"\udc69b\ud83d"):
            exchange.event(f'{{"choices": [{{"delta": {{"content": "{half}"}}}}]}}')
        exchange.delta(None, "stop")

    server.will(halves)
    assert list(model.stream([QUESTION])) == ["a", "👩b"]
