"""What can be set about learning, beside the bot's settings: ``[adapters.…]`` in lorebot.toml."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from adapters.errors import AdaptersSettingsError
from adapters.evaluate.evaluate import EvaluateTable
from adapters.export.convert import ConvertTable
from adapters.export.quantize import QuantizeTable
from adapters.export.verify import VerifyTable
from adapters.promote.gate import PromoteTable
from adapters.train.settings import MergeTable, PreferTable, TrainTable
from bot.domain.errors import BotSettingsError
from bot.domain.settings import Settings, refuse_unknown_variables
from indexer.errors import IndexSettingsError
from indexer.settings import Principals, Table
from indexer.settings import load as load_index_settings

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
    validation_share: Share = 0.1
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
    votes_for_people_alone: int = Field(default=200, ge=0)
    """With fewer judged answers than this, a model judges those that nobody did (RLAIF)."""


class AdaptersTable(Table):
    """``[adapters]``: a table a stage."""

    base: Path | None = None
    """The folder of the full-precision, instruction-tuned model that learns."""
    served: Literal["merged", "adapter"] = "merged"
    """What is promoted: one file of base and adapter together, or the adapter beside the base,
    so that several, for instance one a channel, share what is converted and kept of it."""
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
