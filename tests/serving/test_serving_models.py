from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from itertools import count

import pytest

from bot.domain.errors import ModelError, RecordsError
from bot.domain.values import Message
from bot.models.registry import Registry
from bot.models.versions import ModelVersion, Serving
from bot.serving.lending import FixedModels
from bot.serving.model import LanguageModel
from bot.serving.serving_models import (
    RETRY_SECONDS,
    ServedVersions,
    ServingModels,
    ServingStatus,
)
from tests.services.tiny_adapter import write_tiny_adapter
from tests.services.tiny_model import distinct_text
from tests.serving.parrots import (
    ANA,
    NEVER,
    Parrots,
    lent,
    models,
    name_of,
    parrots,
    registry,
    until,
)

__all__ = ["models", "parrots", "registry"]

TEXT = distinct_text(40)


def repeated(model: LanguageModel, text: str = TEXT) -> Iterator[str]:
    return model.stream([Message("user", text)])


def test_serving_version_is_lent_as_it_was_registered(
    models: ServingModels, registry: Registry
) -> None:
    with models.lease() as model:
        assert model is not None
        assert (model.identity.sha256, model.identity.adapter) == registry.version("a").fingerprint
        assert "".join(repeated(model)) == TEXT
    assert models.status == ServingStatus(serving="a", wanted="a")


def test_running_answer_is_finished_by_the_model_it_began_with(
    models: ServingModels, registry: Registry, parrots: Parrots
) -> None:
    with models.lease() as model:
        assert model is not None
        pieces = repeated(model)
        begun = next(pieces)
        registry.activate("b", ANA)
        models.refresh()
        assert lent(models) == "b"
        assert parrots.freed == []
        assert begun + "".join(pieces) == TEXT
    assert parrots.freed == ["a"]


def test_idle_model_is_freed_when_another_has_taken_over(
    models: ServingModels, registry: Registry, parrots: Parrots
) -> None:
    registry.activate("b", ANA)
    models.refresh()
    assert (parrots.opened, parrots.freed) == (["a", "b"], ["a"])


def test_old_model_answers_while_the_new_one_loads(
    models: ServingModels, registry: Registry, parrots: Parrots
) -> None:
    registry.activate("b", ANA)
    parrots.may_load.clear()
    parrots.loading.clear()
    loading = threading.Thread(target=models.refresh)
    loading.start()
    assert parrots.loading.wait(10)
    assert lent(models) == "a"
    assert models.status == ServingStatus(serving="a", wanted="b")
    parrots.may_load.set()
    loading.join()
    assert lent(models) == "b"


def test_change_is_followed_without_anybody_asking(registry: Registry, parrots: Parrots) -> None:
    with closing(ServingModels(registry, parrots.load, poll_seconds=0.01)) as models:
        registry.activate("b", ANA)
        until(lambda: models.status.serving == "b")
        registry.rollback(ANA)
        until(lambda: models.status.serving == "a")


def test_nothing_is_lent_where_nothing_serves(
    models: ServingModels, registry: Registry, parrots: Parrots
) -> None:
    registry.remove("a", ANA, force=True)
    models.refresh()
    assert lent(models) == ""
    assert parrots.freed == ["a"]
    assert models.status == ServingStatus()


def test_version_that_cannot_be_loaded_leaves_the_old_one_serving(
    registry: Registry, parrots: Parrots, caplog: pytest.LogCaptureFixture
) -> None:
    now = 0.0
    with closing(
        ServingModels(registry, parrots.load, poll_seconds=NEVER, clock=lambda: now)
    ) as models:
        parrots.refused = {"b"}
        registry.activate("b", ANA)
        models.refresh()
        models.refresh()
        assert parrots.opened == ["a", "b"], "a failure is not repeated every few seconds"
        assert lent(models) == "a"
        assert models.status == ServingStatus(
            serving="a", wanted="b", problems=("b: It does not fit into memory.",)
        )
        assert "b cannot be loaded" in caplog.text
        now = RETRY_SECONDS
        models.refresh()
        registry.activate("b", ANA)
        models.refresh()
        assert parrots.opened == ["a", "b", "b", "b"]
        parrots.refused.clear()
        registry.activate("b", ANA)
        models.refresh()
        assert models.status == ServingStatus(serving="b", wanted="b")


def test_bot_starts_without_a_model_that_cannot_be_loaded(
    registry: Registry, parrots: Parrots
) -> None:
    registry.version("a").path.unlink()
    with closing(ServingModels(registry, parrots.load, poll_seconds=NEVER)) as models:
        assert lent(models) == ""
        assert "There is no model file" in models.status.problems[0]


def test_file_that_changed_after_its_activation_is_not_lent(
    models: ServingModels, registry: Registry, parrots: Parrots
) -> None:
    registry.activate("b", ANA)
    with registry.version("b").path.open("ab") as file:
        file.write(b"!")
    models.refresh()
    assert lent(models) == "a"
    assert "has changed" in models.status.problems[0]
    assert parrots.freed == ["b"]


def test_loader_that_fails_in_an_unforeseen_way_takes_nothing_down(
    registry: Registry, parrots: Parrots, caplog: pytest.LogCaptureFixture
) -> None:
    @contextmanager
    def load(version: ModelVersion) -> Iterator[LanguageModel]:
        if version.name == "b":
            raise MemoryError("private detail")
        with parrots.load(version) as model:
            yield model

    with closing(ServingModels(registry, load, poll_seconds=NEVER)) as models:
        registry.activate("b", ANA)
        models.refresh()
        assert lent(models) == "a"
        assert models.status.problems == ("b: Loading it failed; the log says how.",)
        assert "private detail" in caplog.text


@pytest.mark.parametrize("error", [RecordsError("The server is away."), ZeroDivisionError()])
def test_registry_that_cannot_be_read_changes_nothing_and_is_logged_once(
    registry: Registry, parrots: Parrots, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    class Flaky(ServedVersions):
        error: Exception | None = None

        def serving(self) -> Serving:
            if self.error:
                raise self.error
            return registry.serving()

    flaky = Flaky()
    with closing(ServingModels(flaky, parrots.load, poll_seconds=NEVER)) as models:
        flaky.error = error
        models.refresh()
        models.refresh()
        assert lent(models) == "a"
        assert len(models.status.problems) == 1
        assert caplog.text.count("the model registry cannot be read") == 1
        flaky.error = None
        registry.activate("b", ANA)
        models.refresh()
        assert models.status == ServingStatus(serving="b", wanted="b")


def test_adapter_answers_and_is_named_in_the_identity(
    models: ServingModels, registry: Registry
) -> None:
    path = registry.folder / "tuned.gguf"
    write_tiny_adapter(path, "Ġthe")
    registry.activate(registry.add(path, base="a").name, ANA)
    models.refresh()
    with models.lease() as model:
        assert model is not None
        tuned = registry.version("tuned")
        assert model.identity.adapter == f"tuned@{tuned.sha256[:12]}"
        assert model.identity.sha256 == registry.version("a").sha256
        assert next(repeated(model)).strip() == "the"


def test_model_without_the_adapter_it_should_have_is_not_lent(
    registry: Registry, parrots: Parrots
) -> None:
    @contextmanager
    def load(version: ModelVersion) -> Iterator[LanguageModel]:
        with parrots.load(version.base or version) as model:
            yield model

    path = registry.folder / "tuned.gguf"
    write_tiny_adapter(path, "Ġthe")
    registry.activate(registry.add(path, base="a").name, ANA)
    with closing(ServingModels(registry, load, poll_seconds=NEVER)) as models:
        assert lent(models) == ""
        assert models.status.problems
        assert parrots.freed == ["a"]


def test_closing_waits_for_the_answers_and_frees_everything(
    registry: Registry, parrots: Parrots
) -> None:
    models = ServingModels(registry, parrots.load, poll_seconds=NEVER)
    registry.canary("b", ANA, channels=("C1",))
    models.refresh()
    with models.lease() as model:
        assert model is not None
        pieces = repeated(model)
        begun = next(pieces)
        models.close()
        assert lent(models) == ""
        assert parrots.freed == ["b"]
        assert begun + "".join(pieces) == TEXT
    assert parrots.freed == ["b", "a"]
    models.refresh()
    models.close()
    assert (lent(models), parrots.opened) == ("", ["a", "b"])


def test_many_answers_at_once_survive_many_swaps(registry: Registry, parrots: Parrots) -> None:
    stop = threading.Event()
    answered: list[str] = []

    def ask(number: int) -> None:
        for asked in count():
            text = distinct_text(20, start=number * 20 + asked % 20)
            with models.lease(question_id=f"{number}.{asked}", channel=f"C{number}") as model:
                assert model is not None
                assert "".join(repeated(model, text)) == text
                answered.append(name_of(model))
            if stop.is_set():
                return

    def wait_for_answers_of(name: str) -> None:
        before = answered.count(name)
        until(lambda: answered.count(name) > before + 3)

    with (
        closing(ServingModels(registry, parrots.load, poll_seconds=0.005)) as models,
        ThreadPoolExecutor(6) as threads,
    ):
        running = [threads.submit(ask, number) for number in range(6)]
        try:
            for step, name in enumerate("bcabacbacbcab"):
                if step % 3:
                    registry.activate(name, ANA)
                else:
                    registry.canary(name, ANA, share=0.5)
                wait_for_answers_of(name)
        finally:
            stop.set()
        for future in running:
            future.result()
    assert len(parrots.opened) > 9
    assert sorted(parrots.opened) == sorted(parrots.freed)


def test_fixed_model_is_lent_to_everybody_and_closed_once(
    registry: Registry, parrots: Parrots
) -> None:
    from bot.serving.llama_cpp.engine import LlamaEngine

    engine = LlamaEngine.load(registry.version("a").path, context_tokens=512, threads=1)
    fixed = FixedModels(engine)
    with fixed.lease(question_id="1", channel="C1", thread="2") as model:
        assert model is engine
    fixed.close()
    with pytest.raises(ModelError, match="closed"):
        next(engine.stream([Message("user", TEXT)]))
    with FixedModels().lease() as model:
        assert model is None
