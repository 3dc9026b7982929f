"""Stage ``prefer``: preference training after ``train``, on pairs (DPO) or on thumbs (KTO).

DPO (Rafailov et al. 2023, arXiv:2305.18290) learns from a correction over the answer it corrects,
KTO (Ethayarajh et al. 2024, arXiv:2402.01306) from answers that were desirable or not. The
reference model of both is the base with the adapter of ``train``, of which trl keeps a frozen
copy. As in KTO's paper its KL divergence is estimated on prompts with the answer of a neighbour in
the same per-device batch; an example without a neighbour is left out here.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from adapters.dataset.examples import LabelledAnswer, PreferencePair, read_items
from adapters.errors import TrainingError
from adapters.models.base_model import device, identity, libraries, require_same_base
from adapters.models.prompt_tokens import PromptTokenizer
from adapters.runs.disk import require_space
from adapters.runs.display import Display, Silent
from adapters.runs.manifest import Manifest, Run, run_stage
from adapters.settings import PreferTable, TrainTable
from adapters.train.loop import (
    adapter_in_full_precision,
    require_enough,
    seed_run,
    time_step,
    train_with,
    training_arguments,
)
from adapters.train.plan import Plan, plan
from adapters.train.sft import load_base, save_adapter

Row = dict[str, Any]

_ANSWERS = ("chosen_ids", "rejected_ids", "completion_ids")


def prefer(
    table: PreferTable,
    trained: Manifest,
    base: Path,
    folder: Path,
    *,
    preferences: Path,
    validation: Path,
    ai_feedback: Path | None = None,
    display: Display | None = None,
) -> Manifest:
    """Go on from a train run's adapter; outputs as of ``train``, and the same errors.

    The files hold PreferencePair lines with method ``dpo``, LabelledAnswer lines with ``kto``;
    ``ai_feedback`` holds a model's labels, which ``kto`` learns beside people's.
    """
    if table.method == "none":
        raise TrainingError(
            "Preferences are left out by the settings: set method to dpo or kto in the table "
            "[adapters.prefer]."
        )
    require_same_base(base, trained.inputs)
    if "adapter" not in trained.outputs:
        raise TrainingError(
            "Preferences are learned by an adapter, and this run trained the whole model: train "
            "with method qlora or lora, or set method to none in the table [adapters.prefer]."
        )
    shown = display or Silent()
    learned = [preferences, *([ai_feedback] if ai_feedback else [])]

    def work(run: Run) -> None:
        with libraries():
            _prefer(table, trained, base, learned, validation, run, shown)

    inputs: dict[str, Path | str] = {
        "adapter": trained.output("adapter"),
        "preferences": preferences,
        "validation": validation,
        **({"ai_feedback": ai_feedback} if ai_feedback else {}),
        **identity(base),
    }
    return run_stage("prefer", folder, settings=table, inputs=inputs, work=work)


def plan_preferences(
    table: PreferTable,
    train_table: TrainTable,
    base: Path,
    *,
    preferences: Sequence[Path],
    validation: Path,
) -> tuple[Plan, list[Row], list[Row]]:
    """The plan, and its rows of token ids; raises as ``plan_training`` does."""
    tokenizer = PromptTokenizer(base)
    learned, too_long = _rows(tokenizer, preferences, table)
    validated, _ = _rows(tokenizer, [validation], table)
    advice = "collect more votes, or set method to none in the table [adapters.prefer]"
    require_enough(len(learned), table, "preferences", advice)
    made = plan(
        base,
        table,
        method=train_table.method,
        rank=train_table.rank,
        device=device(),
        longest=max(map(_length, [*learned, *validated])),
        examples=len(learned),
        validation=len(validated),
        left_out=too_long,
        copies=2,
    )
    made.require_room()
    return made, learned, validated


def _prefer(
    table: PreferTable,
    trained: Manifest,
    base: Path,
    preferences: Sequence[Path],
    validation: Path,
    run: Run,
    display: Display,
) -> None:
    from datasets import Dataset
    from peft import PeftModel

    train_table = TrainTable.model_validate(trained.settings)
    made, learned, validated = plan_preferences(
        table, train_table, base, preferences=preferences, validation=validation
    )
    for sentence in made.sentences():
        display.tell(sentence)
    require_space(run.folder, made.disk_needed, "Training")
    seed_run(table)
    where = device()
    model = PeftModel.from_pretrained(
        load_base(base, train_table, where), trained.output("adapter"), is_trainable=True
    )
    trainer_class, config_class = _trainer_of(table)
    config = config_class(beta=table.beta, **training_arguments(table, run, made, where))
    with adapter_in_full_precision(model):
        trainer = trainer_class(
            model=model,
            args=config,
            processing_class=PromptTokenizer(base).library_tokenizer,
            train_dataset=Dataset.from_list(learned),
            eval_dataset=Dataset.from_list(validated) or None,
        )
    sequences = [row["prompt_ids"] + _longest_answer(row) for row in learned]
    made = time_step(made, trainer, sequences, table, copies=2)
    display.tell(made.time())
    outcome = train_with(trainer, run, made, table, display, title="Preferences")
    run.outputs["adapter"] = save_adapter(trainer.model, base, run.folder / "adapter")
    tokens = sum(map(len, sequences)) / len(sequences)
    run.metrics.update(made.metrics(), **outcome.metrics(2 * tokens * table.batch_size))


def _trainer_of(table: PreferTable) -> tuple[Any, Any]:
    """trl's trainer and its settings, made to take token ids: it would render prompts itself."""
    from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer

    class PairTrainer(DPOTrainer):  # type: ignore[misc]
        def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
            return dataset

    class ThumbTrainer(KTOTrainer):  # type: ignore[misc]
        def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
            return dataset

    by_method = {"dpo": (PairTrainer, DPOConfig), "kto": (ThumbTrainer, KTOConfig)}
    return by_method[table.method]


def _rows(
    tokenizer: PromptTokenizer, paths: Iterable[Path], table: PreferTable
) -> tuple[list[Row], int]:
    """What is short enough, and how many are not."""
    read = _pairs if table.method == "dpo" else _thumbs
    rows = [row for path in paths for row in read(tokenizer, path)]
    short = [row for row in rows if _length(row) <= table.max_length]
    left_out = len(rows) - len(short)
    if table.method == "kto":
        short = _with_mismatched_answers(short, table)
    return short, left_out


def _pairs(tokenizer: PromptTokenizer, path: Path) -> list[Row]:
    return [
        {
            "prompt_ids": tokenizer.prompt(pair.messages),
            "chosen_ids": tokenizer.answer(pair.chosen),
            "rejected_ids": tokenizer.answer(pair.rejected),
        }
        for pair in read_items(path, PreferencePair)
    ]


def _thumbs(tokenizer: PromptTokenizer, path: Path) -> list[Row]:
    return [
        {
            "prompt_ids": tokenizer.prompt(answer.messages),
            "completion_ids": tokenizer.answer(answer.completion),
            "label": answer.label,
        }
        for answer in read_items(path, LabelledAnswer)
    ]


def _with_mismatched_answers(rows: Sequence[Row], table: PreferTable) -> list[Row]:
    """Shuffled, and each with the answer of its neighbour among those computed together.

    KTO estimates how far the model has moved from answers that do not belong to their prompts. A
    last row that is alone would get its own answer; it is left out.
    """
    shuffled = list(rows)
    random.Random(table.seed).shuffle(shuffled)  # noqa: S311 - nothing secret
    size = table.per_device_batch_size
    groups = (shuffled[start : start + size] for start in range(0, len(shuffled), size))
    return [
        {**row, "KL_completion_ids": group[place - 1]["completion_ids"]}
        for group in groups
        if len(group) > 1
        for place, row in enumerate(group)
    ]


def _longest_answer(row: Row) -> list[int]:
    return max((ids for key, ids in row.items() if key in _ANSWERS), key=len)


def _length(row: Row) -> int:
    return len(row["prompt_ids"]) + len(_longest_answer(row))
