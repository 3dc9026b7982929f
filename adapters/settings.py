"""What can be set about learning, beside the bot's settings: ``[adapters.…]`` in lorebot.toml."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AliasChoices, Field, model_validator

from adapters.errors import AdaptersSettingsError
from bot.domain.errors import BotSettingsError
from bot.domain.settings import Settings, refuse_unknown_variables
from indexer.errors import IndexSettingsError
from indexer.settings import Principals, Table
from indexer.settings import load as load_index_settings

AiFeedback = Literal["off", "preferences"]
Share = Annotated[float, Field(ge=0, lt=1)]


class DatasetTable(Table):
    """``[adapters.dataset]``: what may be learned from, and how it becomes examples."""

    opted_in: Principals = ()
    """Whose text may be learned beyond public documents: ``slack_channel:C…`` opens what is asked
    in that channel and what only it may read, ``slack_user:U…`` that person's direct messages,
    ``group:…`` that group's documents."""
    golden: Path | None = None
    """A JSON Lines file of questions with their answers, written by people."""
    replay: Path | None = None
    """A JSON Lines file of general examples, against forgetting."""
    replay_share: Share = 0.1
    """Of all supervised examples."""
    decisions: Path | None = None
    """What reviewers struck and kept; unset means ``decisions.jsonl`` in the adapters' folder."""
    seed: int = 0
    """Of what is drawn at random: the order of passages, whose golden one is left out, replay."""
    validation_share: Share = 0.1
    """Of the other threads: what training is stopped by."""
    held_out_share: Share = 0.1
    """Of the threads, the newest: what candidate and serving model are compared on."""
    golden_present: float = Field(default=0.8, gt=0, le=1)
    """Share of answers trained on with the passage they rest on in sight (RAFT); of the others
    only distractors are shown, and what is taught is to say that nothing was found."""
    distractors: int = Field(default=3, ge=0, le=20)
    """Passages beside the golden ones that do not answer the question."""
    support: float = Field(default=0.6, ge=0, le=1)
    """Share of a person's sentence whose words a passage must hold for the passage to be cited."""
    near_duplicate: float = Field(default=0.8, gt=0, le=1)
    """Jaccard similarity of 5-grams from which two exchanges are the same."""
    phone_region: str = Field(default="", pattern=r"^([A-Z]{2})?$")
    """Country whose local phone numbers are found, too; empty means numbers with + alone."""
    asker_share: Share = 0.5
    """From which share of the examples one asker's are called a bias in the report."""
    ai_feedback: AiFeedback = "off"
    """Whether the model that serves judges answers without votes, for the stage prefer to learn
    from beside people's thumbs (RLAIF). It is asked once per principle of constitution.md."""
    votes_for_people_alone: int = Field(default=200, ge=0)
    """With as many answers judged by people as this, no model judges any."""


Method = Literal["qlora", "lora", "full"]
Preference = Literal["dpo", "kto", "none"]


class StepTable(Table):
    """What supervised training and preferences share."""

    learning_rate: float = Field(gt=0)
    """The highest, reached after the warm-up."""
    epochs: float = Field(default=3, gt=0)
    """Passes over the examples, at most."""
    batch_size: int = Field(
        default=16,
        ge=1,
        description="examples per step",
        validation_alias=AliasChoices("batch_size", "batch"),
    )
    per_device_batch_size: int = Field(
        default=2,
        ge=1,
        description="examples computed together; memory",
        validation_alias=AliasChoices("per_device_batch_size", "at_once"),
    )
    max_length: int = Field(
        default=4096,
        ge=16,
        description="in tokens; longer examples are left out",
        validation_alias=AliasChoices("max_length", "tokens"),
    )
    validations: int = Field(default=4, ge=1, description="validations per epoch")
    patience: int = Field(default=3, ge=1, description="validations without gain before it stops")
    warmup: float = Field(default=0.03, ge=0, lt=1, description="share of the steps")
    min_examples: int = Field(
        default=20, ge=1, validation_alias=AliasChoices("min_examples", "least_examples")
    )
    """With fewer nothing is trained."""
    seed: int = Field(default=20, ge=0)
    """Of the order of the examples, and of the adapter's first weights."""
    threads: int = Field(default=0, ge=0, description="of the processor; 0 means all cores")

    @model_validator(mode="after")
    def _whole_batches(self) -> Self:
        if self.batch_size % self.per_device_batch_size:
            raise ValueError(
                f"batch_size is {self.batch_size}: choose a multiple of per_device_batch_size, "
                f"{self.per_device_batch_size}"
            )
        return self


class TrainTable(StepTable):
    """``[adapters.train]``: an adapter on a base in 4 bits or as it is, or the whole base."""

    method: Method = "qlora"
    """``qlora``: an adapter on the base in 4 bits; ``lora``: on the base as it is; ``full``: the
    whole base is trained."""
    learning_rate: float = Field(default=1e-4, gt=0)
    rank: int = Field(default=16, ge=1)
    """Of the adapter's matrices (LoRA's r)."""
    alpha: int = Field(default=32, ge=1)
    """What the adapter is scaled by, divided by its rank."""
    dropout: float = Field(default=0.05, ge=0, lt=1)
    """Share of the adapter's inputs that are left out at random while it is trained."""


class PreferTable(StepTable):
    """``[adapters.prefer]``: pairs of answers (DPO), thumbs alone (KTO), or no such stage."""

    method: Preference = "kto"
    """``kto`` learns from thumbs, ``dpo`` from corrections; ``none``: no such stage."""
    learning_rate: float = Field(default=5e-6, gt=0)
    epochs: float = Field(default=1, gt=0)
    beta: float = Field(default=0.1, gt=0, description="how strongly the model holds on to itself")


class MergeTable(Table):
    """``[adapters.merge]``: the precision that merged weights are written in."""

    precision: Literal["bfloat16", "float32"] = "bfloat16"
    """``float32`` is twice as large, and loses nothing."""

    @property
    def is_exact(self) -> bool:
        """Whether nothing of the weights may be lost, so that logits can be held to each other."""
        return self.precision == "float32"


Precision = Literal["f16", "bf16"]


class ConvertTable(Table):
    """How a model becomes a GGUF file, and where llama.cpp's converter comes from."""

    precision: Precision = "f16"
    """bf16 for models with weights beyond 65,504; it computes less exactly on most processors."""
    source: Path | None = None
    """llama-cpp-python's source distribution, for machines that reach no package index."""
    source_sha256: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    """Its checksum, for versions that Lorebot does not know."""
    seconds: float = Field(default=4 * 3600, gt=0)
    """Time that converting may take."""


class Quantization(StrEnum):
    """What most weights become; K-quants need rows of a multiple of 256, the others of 32.

    Q4_0 keeps embeddings as Q6_K, so that it has a fallback, too, where K-quants do not fit.
    """

    Q4_K_M = "Q4_K_M"
    Q5_K_M = "Q5_K_M"
    Q6_K = "Q6_K"
    Q8_0 = "Q8_0"
    Q4_0 = "Q4_0"


class QuantizeTable(Table):
    """How a 16-bit file becomes a small one."""

    quantization: Quantization = Quantization.Q4_K_M
    """``Q4_K_M``, ``Q5_K_M``, ``Q6_K``, ``Q8_0`` or ``Q4_0``, as llama.cpp calls them."""
    allow_fallbacks: bool = False
    """Write the file although some tensors do not suit the quantization."""
    threads: int = Field(default=0, ge=0, description="0 means all cores")
    seconds: float = Field(default=4 * 3600, gt=0)
    """Time that quantizing may take."""


class Gate(Table):
    """The most divergence and the largest overturned share with which a file may be served."""

    divergence: float = Field(gt=0)
    overturned: float = Field(ge=0, le=1)


class VerifyTable(Table):
    """How much is compared, and what is let through."""

    tokens: int = Field(default=4096, ge=256)
    """Predictions that are compared, at most."""
    window: int = Field(default=512, ge=64)
    """Tokens computed together: positions beyond are not compared."""
    odd_tokens: int = Field(default=0, ge=0)
    """Tokens of the vocabulary that may be written or cut differently, for bases known to have
    some; texts and conversations must be cut alike in any case."""
    gates: dict[str, Gate] = Field(default_factory=dict)
    """By precision or quantization, in place of those Lorebot starts from."""


class EvaluateTable(Table):
    """``[adapters.evaluate]``: what models are compared on, and who judges."""

    golden: Path | None = None
    """A JSON Lines file of questions with their answers, besides the held-out ones. Those that
    are like one that was trained on are left out."""
    judge: Path | None = None
    """A GGUF model that judges claims; better none of those that compete. Unset: words are
    compared, and the report says so."""
    base: Path | None = None
    """The base model as a GGUF file, where what serves has itself been trained already."""
    support: float = Field(default=0.8, gt=0, le=1)
    """Share of a claim's words that passages must hold, where no model judges."""
    min_questions: int = Field(
        default=10, ge=1, validation_alias=AliasChoices("min_questions", "least_questions")
    )
    """Held-out questions with an answer; with fewer nothing is compared."""
    general_examples: int = Field(default=100, ge=0)
    """At most, to see what was forgotten."""
    resamples: int = Field(default=5000, ge=2000)
    """Of the paired bootstrap."""
    seed: int = 0
    """Of those resamples."""
    examples_shown: int = Field(default=10, ge=0)
    """Answers won, and answers lost, in the report."""


METRIC_NAMES = (
    "em",
    "f1",
    "faithfulness",
    "answer_relevancy",
    "context_precision",
    "context_recall",
    "citation_precision",
    "citation_recall",
    "correct_refusal",
    "wrong_refusal",
    "general_f1",
    "failed",
    "seconds",
    "tokens_per_second",
)
"""Those that adapters/evaluate/metrics.py measures."""

MetricName = Annotated[str, Field(pattern=f"^({'|'.join(METRIC_NAMES)})$")]
Fraction = Annotated[float, Field(ge=0, le=1)]


class PromoteTable(Table):
    """``[adapters.promote]``: what a candidate must win, may lose, and answers first."""

    metric: MetricName = "f1"
    """What it must be better in: the whole 95 % interval of the difference above zero."""
    min_questions: int = Field(
        default=20, ge=1, validation_alias=AliasChoices("min_questions", "least_questions")
    )
    """Held-out questions that ``metric`` was measured on, at least."""
    tolerance: Fraction = 0.03
    """By how much any other share, such as faithfulness, may be lower than before."""
    slowdown: float = Field(default=0.5, ge=0)
    """By which share of its time an answer may take longer; 0.5 allows half as long again."""
    tolerances: dict[MetricName, float] = Field(default_factory=dict)
    """By metric, in place of these two."""
    sign_off: bool = False
    """Whether a person must sign by name."""
    canary_share: Fraction = 0.1
    """Of the questions, that the candidate answers first."""
    canary_channels: tuple[Annotated[str, Field(pattern=r"^[CGD][A-Z0-9]+$")], ...] = ()
    """Channels that it answers first; with neither share nor channels it answers everybody."""


class AdaptersTable(Table):
    """``[adapters]``: one table per stage."""

    base: Path | None = None
    """The folder of the full-precision, instruction-tuned model that learns."""
    served: Literal["merged", "adapter"] = "merged"
    """What is promoted: one file of base and adapter together, or the adapter beside the base,
    so that several, for instance one per channel, share what is converted and kept of it."""
    dataset: DatasetTable = DatasetTable()
    train: TrainTable = TrainTable()
    prefer: PreferTable = PreferTable()
    merge: MergeTable = MergeTable()
    convert: ConvertTable = ConvertTable()
    quantize: QuantizeTable = QuantizeTable()
    verify: VerifyTable = VerifyTable()
    evaluate: EvaluateTable = EvaluateTable()
    promote: PromoteTable = PromoteTable()

    @model_validator(mode="after")
    def _something_to_serve(self) -> Self:
        if self.served == "adapter" and self.train.method == "full":
            raise ValueError(
                "served is adapter, and [adapters.train] method full makes none: choose qlora or "
                "lora, or serve it merged"
            )
        return self

    @model_validator(mode="after")
    def _no_feedback_unread(self) -> Self:
        is_read = self.prefer.method == "kto" and self.train.method != "full"
        if self.dataset.ai_feedback != "off" and not is_read:
            raise ValueError(
                "[adapters.dataset] ai_feedback labels single answers, which only KTO learns, and "
                "only with an adapter: set [adapters.prefer] method kto and [adapters.train] "
                "method qlora or lora, or ai_feedback off"
            )
        return self


class AdaptersSettings(Settings):
    """All that training needs."""

    adapters: AdaptersTable = AdaptersTable()

    @property
    def adapters_dir(self) -> Path:
        """Runs and their manifests."""
        return self.data_dir / "adapters"

    @property
    def decisions_path(self) -> Path:
        return self.adapters.dataset.decisions or self.adapters_dir / "decisions.jsonl"


def load(**given: Any) -> AdaptersSettings:
    """Read ``lorebot.toml`` and the environment once; AdaptersSettingsError names every mistake."""
    try:
        refuse_unknown_variables(AdaptersSettings)
        return load_index_settings(AdaptersSettings, **given)
    except (BotSettingsError, IndexSettingsError) as error:
        raise AdaptersSettingsError(str(error)) from error
