"""What every LanguageModel promises. A new implementation joins by one more factory."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain.errors import Cancelled, DeadlineExceeded, ModelError, PromptTooLong
from bot.domain.values import Message
from bot.serving.llama_cpp.engine import LlamaEngine
from bot.serving.model import Cancellation, LanguageModel, Sampling

SYSTEM = Message("system", "You answer from the handbook.")
QUESTION = Message("user", "Where is the office, and when does the kitchen close?")


def engine(path: Path) -> LanguageModel:
    return LlamaEngine.load(path, context_tokens=1024, slots=2, threads=1)


FACTORIES: list[Callable[[Path], LanguageModel]] = [engine]


@pytest.fixture(scope="module", params=FACTORIES, ids=lambda factory: factory.__name__)
def model(request: pytest.FixtureRequest, tiny_model: Path) -> Iterator[LanguageModel]:
    model = request.param(tiny_model)
    yield model
    model.close()


def answer(model: LanguageModel, *messages: Message, sampling: Sampling | None = None) -> str:
    return "".join(model.stream(messages, sampling or Sampling()))


def test_identity_names_weights_by_their_hash(model: LanguageModel) -> None:
    assert model.identity.name.endswith(".gguf")
    assert len(model.identity.sha256) == 64


def test_count_grows_with_the_conversation(model: LanguageModel) -> None:
    assert 0 < model.count([QUESTION]) < model.count([SYSTEM, QUESTION]) < model.context_tokens


def test_answer_comes_in_pieces_of_valid_text(model: LanguageModel) -> None:
    text = "The kitchen is open 👩‍💻 until four — où est le café?"
    pieces = list(model.stream([SYSTEM, Message("user", text)]))
    assert len(pieces) > 1
    assert all(pieces)
    assert "".join(pieces) == text


def test_greedy_answer_is_always_the_same(model: LanguageModel) -> None:
    assert answer(model, SYSTEM, QUESTION) == answer(model, SYSTEM, QUESTION) != ""


def test_seed_decides_a_sampled_answer(model: LanguageModel) -> None:
    wild = Sampling(max_tokens=12, temperature=6.0, top_p=1.0, min_p=0.0)
    one, again, other = (
        answer(model, QUESTION, sampling=replace(wild, seed=seed)) for seed in (1, 1, 2)
    )
    assert one == again != other


def test_answer_has_at_most_max_tokens(model: LanguageModel) -> None:
    full = answer(model, QUESTION)
    assert full.startswith(cut := answer(model, QUESTION, sampling=Sampling(max_tokens=3)))
    assert 0 < len(cut) < len(full)


def test_answer_ends_before_a_stop_string(model: LanguageModel) -> None:
    stopped = answer(model, QUESTION, sampling=Sampling(stop=("and when", "never")))
    assert stopped == "Where is the office, "


def test_cancelled_answer_gives_no_further_piece(model: LanguageModel) -> None:
    cancellation = Cancellation()
    pieces = model.stream([QUESTION], cancellation=cancellation)
    next(pieces)
    cancellation.cancel()
    with pytest.raises(Cancelled):
        next(pieces)


def test_answer_cancelled_beforehand_never_starts(model: LanguageModel) -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(Cancelled):
        next(model.stream([QUESTION], cancellation=cancellation))


def test_answer_out_of_time_says_so(model: LanguageModel) -> None:
    cancellation = Cancellation()
    pieces = model.stream([QUESTION], cancellation=cancellation)
    next(pieces)
    cancellation.deadline = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        next(pieces)


def test_cancelled_choice_is_not_made(model: LanguageModel) -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(Cancelled):
        model.choose([SYSTEM], ["yes"], ["yes", "no"], cancellation)


def test_choice_out_of_time_says_so(model: LanguageModel) -> None:
    with pytest.raises(DeadlineExceeded):
        model.choose([SYSTEM], ["yes"], ["yes", "no"], Cancellation.after(0))


def test_choice_may_be_asked_in_the_middle_of_an_answer(model: LanguageModel) -> None:
    said = ""
    for piece in model.stream([SYSTEM, QUESTION]):
        said += piece
        asked = [SYSTEM, QUESTION, Message("assistant", said)]
        (chosen,) = model.choose(asked, ["yes, it is"], ["yes", "no"])
        assert chosen[0] > 0.99
    assert said == QUESTION.content


def test_answer_follows_a_json_schema(model: LanguageModel) -> None:
    schema = json.dumps(
        {
            "type": "object",
            "properties": {"verdict": {"enum": ["supported", "contradicted"]}},
            "required": ["verdict"],
        }
    )
    document = json.loads(answer(model, QUESTION, sampling=Sampling(json_schema=schema)))
    assert document["verdict"] in ("supported", "contradicted")


def test_schema_that_is_none_is_refused(model: LanguageModel) -> None:
    with pytest.raises(ModelError, match="schema"):
        answer(model, QUESTION, sampling=Sampling(json_schema="{"))


def test_prompt_without_room_for_the_answer_is_refused_with_the_numbers(
    model: LanguageModel,
) -> None:
    prompt = model.count([QUESTION])
    room = model.context_tokens - prompt
    next(model.stream([QUESTION], Sampling(max_tokens=room)))
    with pytest.raises(PromptTooLong, match=rf"{prompt} .* {room + 1}.* {model.context_tokens}"):
        next(model.stream([QUESTION], Sampling(max_tokens=room + 1)))


def test_choice_is_a_distribution_over_the_options_for_each_continuation(
    model: LanguageModel,
) -> None:
    chosen = model.choose([SYSTEM], ["yes, it is", "no, never", "who knows"], ["yes", "no"])
    assert [len(probabilities) for probabilities in chosen] == [2, 2, 2]
    assert all(math.isclose(sum(probabilities), 1.0) for probabilities in chosen)
    assert chosen[0][0] > 0.99
    assert chosen[1][1] > 0.99
    (turned,) = model.choose([SYSTEM], ["yes, it is"], ["no", "yes"])
    assert turned[1] > 0.99


def test_choice_without_continuations_is_empty(model: LanguageModel) -> None:
    assert model.choose([SYSTEM], [], ["yes", "no"]) == []


@pytest.mark.parametrize("options", [["yes", "yes"], ["yes", ""]])
def test_options_that_look_alike_to_the_model_are_refused(
    model: LanguageModel, options: list[str]
) -> None:
    with pytest.raises(ModelError, match="other words"):
        model.choose([SYSTEM], ["yes"], options)


def test_choice_that_does_not_fit_is_refused(model: LanguageModel) -> None:
    with pytest.raises(PromptTooLong):
        model.choose([SYSTEM], ["yes", "word " * model.context_tokens], ["yes", "no"])


def test_several_threads_get_the_answers_they_would_get_alone(model: LanguageModel) -> None:
    questions = [Message("user", f"Who owns service {n}, and on which port?") for n in "abcdef"]
    alone = [answer(model, SYSTEM, question) for question in questions]
    with ThreadPoolExecutor(len(questions)) as threads:
        together = list(threads.map(lambda question: answer(model, SYSTEM, question), questions))
    assert together == alone == [question.content for question in questions]


@pytest.mark.parametrize("factory", FACTORIES)
def test_closed_model_refuses_and_may_be_closed_again(
    factory: Callable[[Path], LanguageModel], tiny_model: Path
) -> None:
    model = factory(tiny_model)
    model.close()
    model.close()
    with pytest.raises(ModelError, match="closed"):
        next(model.stream([QUESTION]))
    with pytest.raises(ModelError, match="closed"):
        model.choose([QUESTION], ["yes"], ["yes", "no"])
