"""The demo's settings: the user's cache, and all else as a tiny model needs it.

A model of a few million parameters can learn to answer, but not to judge itself: the thresholds of
its own judgements let everything pass, and one passage is shown to it. What no threshold can
loosen still holds: words, numbers and names of a sentence must stand in the page it cites.

Its attention was partly set by hand and is sharper than one that was learned: rounding to 16 bits
weighs more, and may do so.

Questions about different rooms differ in a word, so that only equal ones count as duplicates. An
answer takes milliseconds, in which other programs weigh more than the model: it may be slower.
"""

from __future__ import annotations

from pathlib import Path

from adapters.settings import (
    AdaptersSettings,
    AdaptersTable,
    DatasetTable,
    Gate,
    MergeTable,
    PreferTable,
    PromoteTable,
    Quantization,
    QuantizeTable,
    TrainTable,
    VerifyTable,
)
from bot.bootstrap.demo import SAMPLE
from bot.domain.settings import ModelTable, RecordsTable
from bot.domain.thresholds import Thresholds
from indexer.settings import FilesSource, StoreTable

CHANNEL = "C0HELP"


def demo_settings(settings: AdaptersSettings, root: Path) -> AdaptersSettings:
    """Over the sample handbook and the rooms' pages in ``root``."""
    handbook = FilesSource(name="handbook", path=SAMPLE, audience=("public",))
    pages = FilesSource(name="rooms", path=root / "rooms", audience=("public",))
    return settings.model_copy(
        update={
            "data_dir": root / "data",
            "sources": (handbook, pages),
            "store": StoreTable(),
            "records": RecordsTable(),
            "index": settings.index.model_copy(update={"passages": 1, "reranker": None}),
            "model": ModelTable(context_tokens=1024, answer_tokens=32, slots=1, threads=1),
            "thresholds": Thresholds(
                plausible=0, hypothesis=0, relevant=0, conflicting=1, supported=0, useful=0
            ),
            "adapters": _tables(root / "base"),
        }
    )


def _tables(base: Path) -> AdaptersTable:
    return AdaptersTable(
        base=base,
        dataset=DatasetTable(
            opted_in=(f"slack_channel:{CHANNEL}",),
            distractors=0,
            validation_share=0.1,
            held_out_share=0.3,
            near_duplicate=1.0,
        ),
        train=TrainTable(
            learning_rate=2e-3,
            epochs=3,
            batch_size=4,
            per_device_batch_size=4,
            dropout=0,
            validations=1,
            threads=1,
        ),
        prefer=PreferTable(method="none"),
        merge=MergeTable(precision="float32"),
        quantize=QuantizeTable(quantization=Quantization.Q8_0),
        verify=VerifyTable(gates={"f16": Gate(divergence=3e-5, overturned=0.001)}),
        promote=PromoteTable(metric="em", slowdown=9, canary_share=0),
    )
