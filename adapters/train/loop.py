"""Runs one of trl's trainers: arguments, a timed first step, resuming, early stopping, curves.

Shared by supervised training and preferences. trl's trainers are transformers' Trainer with an
output layer computed in pieces: with a vocabulary of 150,000 the logits of one long example would
take gigabytes otherwise. Supervised training therefore takes SFTTrainer and not the plain Trainer,
with rows that are token ids already, so that trl never renders a prompt.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from adapters.errors import Diverged, NotEnoughMemory, TooLittleData, TrainingError
from adapters.models.base_model import Device
from adapters.models.memory import gigabytes
from adapters.runs.display import Bar, Display
from adapters.runs.files import write_atomically
from adapters.runs.manifest import Run
from adapters.settings import StepTable
from adapters.train.plan import Plan

_NUMBERED = re.compile(r"checkpoint-(\d+)")
# transformers' Trainer writes the state last
_STATE = "trainer_state.json"
_BEFORE = ("optimizer.pt", "scheduler.pt", "rng_state.pth")
_KEPT = ("step", "epoch", "loss", "eval_loss", "learning_rate", "grad_norm")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended. Losses are per token; ``validation_loss`` is the best one, if any.

    ``seconds_per_step`` and ``peak_memory`` (bytes of the GPU, 0 without one) are of this process.
    """

    steps: int
    stopped_early: bool
    loss: float
    validation_loss: float | None
    seconds_per_step: float
    peak_memory: int

    def metrics(self, tokens_per_step: float) -> dict[str, Any]:
        """For the manifest."""
        return {**asdict(self), "tokens_per_second": tokens_per_step / self.seconds_per_step}


def require_enough(count: int, table: StepTable, things: str, advice: str) -> None:
    """Raise TooLittleData where fewer ``things`` than the settings want are short enough."""
    if count < table.min_examples:
        raise TooLittleData(
            f"There are {count} {things} of at most {table.max_length:,} tokens to learn from, and "
            f"{table.min_examples} are needed: {advice}."
        )


def seed_run(table: StepTable) -> None:
    """Seed every random generator, so that the same settings make the same run, and set threads."""
    import torch
    from transformers import set_seed

    set_seed(table.seed)
    if table.threads:
        torch.set_num_threads(table.threads)


def training_arguments(table: StepTable, run: Run, plan: Plan, device: Device) -> dict[str, Any]:
    """Keyword arguments of transformers' TrainingArguments, the same for every trainer.

    AdamW (Loshchilov and Hutter 2019) with a cosine schedule after a warm-up. On a GPU its states
    are paged as in QLoRA, and in 8 bits (Dettmers et al. 2022) where QLoRA's have 32. An optimizer
    step accumulates the gradients of as many per-device batches as make up the batch.
    """
    steps_per_epoch = math.ceil(plan.examples / table.batch_size)
    every = max(1, steps_per_epoch // table.validations)
    validates = plan.validation > 0
    return {
        "output_dir": str(run.scratch / "checkpoints"),
        "per_device_train_batch_size": table.per_device_batch_size,
        "per_device_eval_batch_size": table.per_device_batch_size,
        "gradient_accumulation_steps": table.batch_size // table.per_device_batch_size,
        "num_train_epochs": table.epochs,
        "learning_rate": table.learning_rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": table.warmup,
        "optim": "paged_adamw_8bit" if device.is_gpu else "adamw_torch",
        "bf16": device.bfloat16,
        "use_cpu": not device.is_gpu,
        "gradient_checkpointing": True,
        "gradient_checkpointing_kwargs": {"use_reentrant": False},
        "max_length": None,  # what is too long was left out, whole
        "seed": table.seed,
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "eval_strategy": "steps" if validates else "no",
        "eval_steps": every,
        "save_steps": every,
        "save_total_limit": 2,
        "load_best_model_at_end": validates,
        "metric_for_best_model": "eval_loss" if validates else None,
        "greater_is_better": False if validates else None,
        "restore_callback_states_from_checkpoint": True,
        "dataloader_pin_memory": device.is_gpu,
        "disable_tqdm": True,
        "report_to": "none",
    }


def time_step(
    plan: Plan, trainer: Any, rows: Sequence[list[int]], table: StepTable, *, copies: int = 1
) -> Plan:
    """The plan with the seconds per step, from a pass over examples of median length.

    A pass over the longest examples comes first: raises NotEnoughMemory where they do not fit.
    ``copies`` is how many sequences one example stands for. No weights are changed.
    """
    import torch

    by_length = sorted(rows, key=len)
    middle = len(by_length) // 2
    trainer.model.gradient_checkpointing_enable({"use_reentrant": False})
    trainer.model.train()
    on_gpu = [trainer.model.device] if trainer.model.device.type == "cuda" else []
    with torch.random.fork_rng(devices=on_gpu):
        try:
            _pass(trainer, by_length[-copies * table.per_device_batch_size :])
            began = time.perf_counter()
            _pass(trainer, by_length[middle : middle + table.per_device_batch_size])
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise NotEnoughMemory(
                f"A step with examples of {len(by_length[-1]):,} tokens does not fit into the "
                f"{gigabytes(plan.memory_there)} of {plan.device}: lower "
                "per_device_batch_size or max_length in the settings."
            ) from error
    seconds = time.perf_counter() - began
    return plan.with_step(seconds * copies * (table.batch_size // table.per_device_batch_size))


def train_with(
    trainer: Any, run: Run, plan: Plan, table: StepTable, display: Display, *, title: str
) -> Outcome:
    """Train from the newest complete checkpoint, or from the start; writes curves and logs.

    Raises Diverged where the loss is no number, NotEnoughMemory where a step does not fit.
    """
    import torch
    from torch.utils.tensorboard import SummaryWriter
    from transformers import EarlyStoppingCallback, PrinterCallback
    from transformers.integrations import TensorBoardCallback

    trainer.remove_callback(PrinterCallback)
    if plan.validation:
        trainer.add_callback(EarlyStoppingCallback(table.patience))
    newest = newest_complete(Path(trainer.args.output_dir))
    already = int(newest.name.rpartition("-")[2]) if newest else 0
    if already:
        display.tell(f"Goes on from step {already}.")
    writer = SummaryWriter(str(run.folder / "tensorboard"))
    trainer.add_callback(TensorBoardCallback(writer))
    began = time.perf_counter()
    try:
        with display.bar(title, plan.steps) as bar:
            trainer.add_callback(_watch(bar))
            trainer.train(resume_from_checkpoint=str(newest) if newest else None)
    except torch.OutOfMemoryError as error:
        raise NotEnoughMemory(
            f"A step did not fit into the memory of {plan.device}: lower per_device_batch_size or "
            "max_length in the settings, and start again: what is done is kept."
        ) from error
    finally:
        writer.close()
    seconds = time.perf_counter() - began
    rows = _history(trainer.state.log_history)
    learned = [row["loss"] for row in rows if "loss" in row]
    validated = [row["eval_loss"] for row in rows if "eval_loss" in row]
    if not learned:
        raise TrainingError("The run took no step: lower batch_size, or give it more examples.")
    _keep_curves(rows, run, title)
    steps = trainer.state.global_step
    return Outcome(
        steps=steps,
        stopped_early=steps < trainer.state.max_steps,
        loss=learned[-1],
        validation_loss=min(validated, default=None),
        seconds_per_step=seconds / max(1, steps - already),
        peak_memory=torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0,
    )


@contextmanager
def adapter_in_full_precision(model: Any) -> Iterator[None]:
    """trl rounds the adapter of a 4-bit base to bfloat16; small steps would then be lost."""
    before = {name: each.data for name, each in model.named_parameters() if each.requires_grad}
    yield
    for name, each in model.named_parameters():
        if name in before:
            each.data = before[name]


def newest_complete(folder: Path) -> Path | None:
    """The newest checkpoint that was written to its end; None where there is none."""
    numbered = [
        (int(match[1]), path)
        for path in folder.glob("checkpoint-*")
        if (match := _NUMBERED.fullmatch(path.name))
    ]
    for _, path in sorted(numbered, reverse=True):
        if _is_complete(path):
            return path
    return None


def _is_complete(checkpoint: Path) -> bool:
    try:
        json.loads((checkpoint / _STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return all((checkpoint / name).is_file() for name in _BEFORE)


def _history(logged: Iterable[Mapping[str, Any]]) -> list[dict[str, float]]:
    """What a trainer logged, without what differs between two equal runs (durations)."""
    rows = ({key: entry[key] for key in _KEPT if key in entry} for entry in logged)
    return [row for row in rows if "loss" in row or "eval_loss" in row]


def _draw(rows: list[dict[str, float]], path: Path, *, title: str) -> None:
    """Loss of training and validation by step, the learning rate below; a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    for axes, key, label, style in (
        (above, "loss", "training", "-"),
        (above, "eval_loss", "validation", "o-"),
        (below, "learning_rate", "learning rate", "-"),
    ):
        points = [(row["step"], row[key]) for row in rows if key in row]
        if points:
            axes.plot(*zip(*points, strict=True), style, label=label, markersize=4)
    above.set(title=title, ylabel="loss per token")
    below.set(xlabel="step", ylabel="learning rate")
    above.legend()
    for axes in (above, below):
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)


def _pass(trainer: Any, rows: Sequence[list[int]]) -> None:
    """Forward and backward, without an optimizer step."""
    import torch

    model = trainer.model
    longest = max(map(len, rows))
    padded = [[*row, *[row[-1]] * (longest - len(row))] for row in rows]
    tokens = torch.tensor(padded, device=model.device)
    with trainer.accelerator.autocast():
        outputs = model(input_ids=tokens, labels=tokens, use_cache=False, fused_lm_head=True)
        loss = outputs.log_probs.sum()
    loss.backward()
    loss.item()  # waits for a GPU
    model.zero_grad(set_to_none=True)


def _watch(bar: Bar) -> Any:
    """A callback that moves the bar and stops a run whose loss is no number."""
    from transformers import TrainerCallback

    class Watch(TrainerCallback):  # type: ignore[misc]
        def on_log(self, args: Any, state: Any, control: Any, **given: Any) -> None:
            logs = given["logs"]
            for name in ("loss", "grad_norm", "eval_loss"):
                if name in logs and not math.isfinite(logs[name]):
                    raise Diverged(
                        f"The run diverged: at step {state.global_step} its {name} is "
                        f"{logs[name]}. Lower learning_rate, or look for damaged weights in the "
                        "base model."
                    )
            if "loss" in logs:
                bar.move(state.global_step, f"loss {logs['loss']:.3f}")

    return Watch()


def _keep_curves(rows: list[dict[str, float]], run: Run, title: str) -> None:
    numbers = run.folder / "history.json"
    picture = run.folder / "curves.png"
    write_atomically(numbers, json.dumps(rows, indent=1) + "\n")
    _draw(rows, picture, title=title)
    run.outputs.update(history=numbers, curves=picture)
