"""An LLM of LlamaIndex answers and judges, ends in time, and quotes nobody when it fails."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseGen,
    LLMMetadata,
    MessageRole,
)
from llama_index.core.llms import CompletionResponse, CompletionResponseGen, CustomLLM

from bot.bootstrap.wiring import open_models
from bot.domain.errors import (
    BotSettingsError,
    Cancelled,
    DeadlineExceeded,
    ModelError,
    ModelUnreachable,
    PromptTooLong,
)
from bot.domain.settings import ModelTable, Settings
from bot.domain.values import Message
from bot.serving.foreign import ForeignModel
from bot.serving.model import Cancellation, Sampling

ASKED = [Message("system", "You answer."), Message("user", "When is lunch?")]


class Saying(CustomLLM):
    """Streams its words one by one; ``then`` raises at their end, ``waits`` never gives one."""

    words: list[str] = []  # noqa: RUF012 - a pydantic field
    then: Any = None
    waits: bool = False

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(context_window=2048, model_name="saying", is_chat_model=True)

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        raise AssertionError("only conversations are streamed")

    def stream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponseGen:
        raise AssertionError("only conversations are streamed")

    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        if self.waits:
            threading.Event().wait(20)
        said = ""
        for word in self.words:
            said += word
            message = ChatMessage(role=MessageRole.ASSISTANT, content=said)
            yield ChatResponse(message=message, delta=word)
        if self.then:
            raise self.then


def model(*words: str, **more: Any) -> ForeignModel:
    return ForeignModel(Saying(words=list(words), **more), 4096)


def said(model: ForeignModel, sampling: Sampling | None = None) -> list[str]:
    return list(model.stream(ASKED, sampling or Sampling()))


def test_an_answer_comes_in_the_pieces_of_the_llm() -> None:
    assert said(model("Soup ", "at ", "noon.")) == ["Soup ", "at ", "noon."]


def test_it_ends_at_the_most_tokens_and_before_a_stop_string() -> None:
    assert said(model("Soup ", "at ", "noon."), Sampling(max_tokens=2)) == ["Soup ", "at "]
    assert "".join(said(model("Soup\nEN", "D. More"), Sampling(stop=("END",)))) == "Soup\n"


def test_who_it_is_and_what_fits_are_told() -> None:
    one = model("x")
    assert (one.identity.name, one.identity.sha256) == ("saying by Saying", "")
    assert one.context_tokens == 2048
    assert ForeignModel(Saying(), 512).context_tokens == 512
    with pytest.raises(PromptTooLong, match="2048"):
        next(one.stream([Message("user", "word " * 3000)]))


@pytest.mark.parametrize(("words", "chosen"), [("Yes, it is.", (1.0, 0.0)), ("**no**", (0.0, 1.0))])
def test_a_choice_is_what_was_said_first(words: str, chosen: tuple[float, ...]) -> None:
    assert model(words).choose(ASKED, ["Relevant?", "Sure?"], ["yes", "no"]) == [chosen, chosen]


def test_a_choice_that_is_none_is_an_error() -> None:
    with pytest.raises(ModelError, match="neither of yes, no"):
        model("Perhaps, I know not.").choose(ASKED, ["Relevant?"], ["yes", "no"])


def test_a_silent_llm_does_not_outlast_the_question() -> None:
    with pytest.raises(DeadlineExceeded):
        next(model(waits=True).stream(ASKED, cancellation=Cancellation.after(0.2)))
    cancellation = Cancellation()
    pieces = model("a", "b").stream(ASKED, cancellation=cancellation)
    next(pieces)
    cancellation.cancel()
    with pytest.raises(Cancelled):
        next(pieces)


def test_a_failure_is_told_without_what_it_quotes() -> None:
    with pytest.raises(ModelUnreachable, match="ValueError") as caught:
        said(model("Soup ", then=ValueError("When is lunch?")))
    assert "lunch" not in str(caught.value)


class Away(Saying):
    """Asks its server for its context, as Ollama does."""

    @property
    def metadata(self) -> LLMMetadata:
        raise ConnectionError("When is lunch?")


def test_documents_are_quoted_while_its_server_is_away(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table = {"class": "tests.serving.test_foreign:Away"}
    settings = Settings(data_dir=tmp_path, model=ModelTable.model_validate({"llm": table}))
    with open_models(settings) as models, models.lease() as answering:
        assert answering is None
        assert models.problems() == (
            "Away failed with ConnectionError: check [model.llm] and that its server runs.",
        )
    assert "lunch" not in caplog.text


def test_the_settings_name_it(tmp_path: Path) -> None:
    table = {"class": "tests.serving.test_foreign:Saying", "arguments": {"words": ["Noon."]}}
    settings = Settings(data_dir=tmp_path, model=ModelTable.model_validate({"llm": table}))
    assert settings.model.pinned_by == "[model] llm"
    with open_models(settings) as models, models.lease() as answering:
        assert answering is not None
        assert list(answering.stream(ASKED)) == ["Noon."]
    wrong = ModelTable.model_validate({"llm": {"class": "llama_index.llms.missing:Missing"}})
    with (
        pytest.raises(BotSettingsError, match="llama-index-llms-missing"),
        open_models(settings.model_copy(update={"model": wrong})),
    ):
        pass
