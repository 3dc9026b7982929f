from __future__ import annotations

from bot.models.registry import Registry
from bot.serving.serving_models import ServingModels, ServingStatus
from tests.serving.parrots import ANA, Parrots, lent, models, name_of, parrots, registry

__all__ = ["models", "parrots", "registry"]


def test_canary_answers_its_channels_and_its_share_and_each_thread_stays(
    models: ServingModels, registry: Registry, parrots: Parrots
) -> None:
    registry.canary("b", ANA, share=0.3, channels=("C1",))
    models.refresh()
    assert models.status == ServingStatus("a", "b", "a", "b")
    threads = [f"17000.{number}" for number in range(200)]
    assert {lent(models, "C1", thread) for thread in threads} == {"b"}
    elsewhere = [lent(models, "C2", thread) for thread in threads]
    assert 30 < elsewhere.count("b") < 90
    assert elsewhere == [lent(models, "C2", thread) for thread in threads]
    registry.end_canary(ANA)
    models.refresh()
    assert lent(models, "C1") == "a"
    assert parrots.freed == ["b"]


def test_question_without_a_thread_is_known_by_its_id(
    models: ServingModels, registry: Registry
) -> None:
    registry.canary("b", ANA, share=0.5)
    models.refresh()

    def model_for(question_id: str) -> str:
        with models.lease(question_id=question_id) as model:
            return name_of(model)

    questions = [str(number) for number in range(50)]
    first = [model_for(question) for question in questions]
    assert set(first) == {"a", "b"}
    assert first == [model_for(question) for question in questions]


def test_canary_that_becomes_the_serving_version_is_not_loaded_again(
    models: ServingModels, registry: Registry, parrots: Parrots
) -> None:
    registry.canary("b", ANA, share=0.5)
    models.refresh()
    registry.canary("b", ANA, share=0.6)
    models.refresh()
    registry.activate("b", ANA)
    models.refresh()
    assert (parrots.opened, parrots.freed) == (["a", "b"], ["a"])


def test_canary_that_cannot_be_loaded_leaves_its_questions_to_the_serving_version(
    models: ServingModels, registry: Registry, parrots: Parrots
) -> None:
    parrots.refused = {"b"}
    registry.canary("b", ANA, share=1)
    models.refresh()
    assert lent(models) == "a"
    assert models.status == ServingStatus("a", "", "a", "b", ("b: It does not fit into memory.",))


def test_canary_that_takes_the_place_of_another_frees_it(
    models: ServingModels, registry: Registry, parrots: Parrots
) -> None:
    registry.canary("b", ANA, share=1)
    models.refresh()
    registry.canary("c", ANA, share=1)
    models.refresh()
    assert lent(models) == "c"
    assert parrots.freed == ["b"]
