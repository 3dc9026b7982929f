"""Stage ``train``: supervised fine-tuning, examples → a LoRA adapter; QLoRA by default.

LoRA (Hu et al. 2021, arXiv:2106.09685) on a base in 4 bits (QLoRA, Dettmers et al. 2023,
arXiv:2305.14314). As in QLoRA, and unlike LoRA's paper, every linear layer gets an adapter and not
the attention alone. Embeddings and output layer are never trained and no tokens are added: with
tied weights such changes would be lost on the way to a GGUF file. Loss is on the answer alone.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from adapters.dataset.examples import Example, read_items
from adapters.models.base_model import Device, device, identity, libraries, load_full
from adapters.models.prompt_tokens import PromptTokenizer, Tokens
from adapters.runs.disk import require_space
from adapters.runs.display import Display, Silent
from adapters.runs.files import write_atomically
from adapters.runs.manifest import Manifest, Run, run_stage
from adapters.settings import TrainTable
from adapters.train.loop import (
    adapter_in_full_precision,
    require_enough,
    seed_run,
    time_step,
    train_with,
    training_arguments,
)
from adapters.train.plan import Plan, plan
from adapters.train.qlora import load_quantized


def train(
    table: TrainTable,
    base: Path,
    folder: Path,
    *,
    examples: Path,
    validation: Path,
    display: Display | None = None,
) -> Manifest:
    """Train on a file of examples into ``folder``; outputs ``adapter``, ``curves``, ``history``.

    With method ``full`` the output is ``model``, a whole model, in place of ``adapter``. An empty
    ``validation`` file means no validation and no early stopping. Started again after a crash it
    goes on from the last complete checkpoint. Raises TooLittleData, NotEnoughMemory, DiskFull and
    BaseMismatch before anything is computed, Diverged while it is.
    """
    shown = display or Silent()

    def work(run: Run) -> None:
        with libraries():
            _train(table, base, examples, validation, run, shown)

    inputs: dict[str, Path | str] = {
        "examples": examples,
        "validation": validation,
        **identity(base),
    }
    return run_stage("train", folder, settings=table, inputs=inputs, work=work)


def plan_training(
    table: TrainTable, base: Path, *, examples: Path, validation: Path
) -> tuple[Plan, list[Tokens], list[Tokens]]:
    """The plan, and what it is for: rows to learn from and rows to validate with.

    Raises TooLittleData where too few examples are short enough, NotEnoughMemory where the plan
    does not fit into this machine.
    """
    tokenizer = PromptTokenizer(base)
    learned, too_long = _tokenised(tokenizer, examples, table.max_length)
    validated, _ = _tokenised(tokenizer, validation, table.max_length)
    advice = "collect more votes and corrections, or lower min_examples in the settings"
    require_enough(len(learned), table, "examples", advice)
    made = plan(
        base,
        table,
        method=table.method,
        rank=table.rank,
        device=device(),
        longest=max(map(len, [*learned, *validated])),
        examples=len(learned),
        validation=len(validated),
        left_out=too_long,
    )
    made.require_room()
    return made, learned, validated


def load_base(base: Path, table: TrainTable, where: Device) -> Any:
    """The base model for a method: in 4 bits, as it is, or in full precision to be trained."""
    import torch

    compute = torch.bfloat16 if where.bfloat16 else torch.float32
    if table.method == "qlora":
        return load_quantized(base, compute=compute, device=where.name)
    exact = torch.float32 if table.method == "full" else compute
    return load_full(base, dtype=exact, device=where.name)


def save_adapter(model: Any, base: Path, folder: Path) -> Path:
    """Write an adapter so that equal weights make equal files, wherever the base lies."""
    model.save_pretrained(folder, selected_adapters=["default"])
    (folder / "README.md").unlink(missing_ok=True)  # an empty form of peft's
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = base.name
    config["target_modules"] = sorted(config["target_modules"])
    write_atomically(path, json.dumps(config, indent=2, sort_keys=True) + "\n")
    return folder


def _train(
    table: TrainTable, base: Path, examples: Path, validation: Path, run: Run, display: Display
) -> None:
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    made, learned, validated = plan_training(table, base, examples=examples, validation=validation)
    for sentence in made.sentences():
        display.tell(sentence)
    require_space(run.folder, made.disk_needed, "Training")
    seed_run(table)
    where = device()
    model = load_base(base, table, where)
    if table.method != "full":
        model = _with_adapter(model, table)
    config = SFTConfig(**training_arguments(table, run, made, where))
    with adapter_in_full_precision(model):
        trainer = SFTTrainer(
            model=model,
            args=config,
            processing_class=PromptTokenizer(base).library_tokenizer,
            train_dataset=Dataset.from_list([row.supervised() for row in learned]),
            eval_dataset=Dataset.from_list([row.supervised() for row in validated]) or None,
        )
    made = time_step(made, trainer, [row.prompt + row.answer for row in learned], table)
    display.tell(made.time())
    outcome = train_with(trainer, run, made, table, display, title="Training")
    if table.method == "full":
        trainer.model.save_pretrained(run.folder / "model")
        run.outputs["model"] = run.folder / "model"
    else:
        run.outputs["adapter"] = save_adapter(trainer.model, base, run.folder / "adapter")
    tokens = sum(map(len, learned)) / len(learned)
    run.metrics.update(made.metrics(), **outcome.metrics(tokens * table.batch_size))


def _with_adapter(model: Any, table: TrainTable) -> Any:
    from peft import LoraConfig, get_peft_model

    return get_peft_model(
        model,
        LoraConfig(
            r=table.rank,
            lora_alpha=table.alpha,
            lora_dropout=table.dropout,
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        ),
    )


def _tokenised(tokenizer: PromptTokenizer, path: Path, most: int) -> tuple[list[Tokens], int]:
    """The rows of at most ``most`` tokens, and how many are longer."""
    rows = [
        tokenizer.tokens(example.messages, example.completion)
        for example in read_items(path, Example)
    ]
    return [row for row in rows if len(row) <= most], sum(len(row) > most for row in rows)
