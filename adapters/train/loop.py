"""What supervised training and preferences share: one run of a trainer that can be resumed.

Both use trl's trainers, which are transformers' Trainer with an output layer computed in pieces:
with a vocabulary of 150,000 the logits of one long example would take gigabytes otherwise.
Supervised training therefore takes SFTTrainer and not the plain Trainer, with rows that are token
ids already, so that trl never renders a prompt.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Sequence
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
from adapters.train.checkpoints import newest_whole
from adapters.train.curves import draw, history
from adapters.train.plan import Plan


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended. Losses are a token's; ``validation_loss`` is the best one, if any.

    ``seconds_a_step`` and ``peak_memory`` (bytes of the GPU, 0 without one) are of this process.
    """

    steps: int
    stopped_early: bool
    loss: float
    validation_loss: float | None
    seconds_a_step: float
    peak_memory: int

    def metrics(self, tokens_a_step: float) -> dict[str, Any]:
        """For the manifest."""
        return {**asdict(self), "tokens_per_second": tokens_a_step / self.seconds_a_step}


def require_enough(count: int, table: StepTable, things: str, advice: str) -> None:
    """Raise TooLittleData where fewer ``things`` than the settings want are short enough."""
    if count < table.min_examples:
        raise TooLittleData(
            f"There are {count} {things} of at most {table.max_length:,} tokens to learn from, and "
            f"{table.min_examples} are needed: {advice}."
        )


def begin(table: StepTable) -> None:
    """The same settings make the same run: seeds, and threads where one fewer is faster."""
    import torch
    from transformers import set_seed

    set_seed(table.seed)
    if table.threads:
        torch.set_num_threads(table.threads)


def arguments(table: StepTable, run: Run, plan: Plan, device: Device) -> dict[str, Any]:
    """TrainingArguments by name, the same for every trainer."""
    step_an_epoch = math.ceil(plan.examples / table.batch_size)
    every = max(1, step_an_epoch // table.validations)
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


def measured(
    plan: Plan, trainer: Any, rows: Sequence[list[int]], table: StepTable, *, copies: int = 1
) -> Plan:
    """The plan with the seconds of a step: the longest examples first, then common ones.

    ``copies`` is how many sequences one example stands for. Nothing is learned. Raises
    NotEnoughMemory where the longest examples do not fit.
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
    """Train from the newest whole checkpoint, or from the start; writes curves and logs.

    Raises Diverged where the loss is no number, NotEnoughMemory where a step does not fit.
    """
    import torch
    from torch.utils.tensorboard import SummaryWriter
    from transformers import EarlyStoppingCallback, PrinterCallback
    from transformers.integrations import TensorBoardCallback

    trainer.remove_callback(PrinterCallback)
    if plan.validation:
        trainer.add_callback(EarlyStoppingCallback(table.patience))
    newest = newest_whole(Path(trainer.args.output_dir))
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
    rows = history(trainer.state.log_history)
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
        seconds_a_step=seconds / max(1, steps - already),
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


def _pass(trainer: Any, rows: Sequence[list[int]]) -> None:
    """Forward and back, without a step."""
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
    draw(rows, picture, title=title)
    run.outputs.update(history=numbers, curves=picture)
