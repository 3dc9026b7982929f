"""Stage ``dataset``: votes, corrections, replies and golden questions → examples to learn from.

Outputs: ``train``, ``validation`` and ``held_out`` (Example), ``preferences`` and
``preferences_validation`` (PreferencePair), ``thumbs`` and ``thumbs_validation``
(LabelledAnswer), ``ai_feedback`` (LabelledAnswer, a model's word, empty unless the settings want
it), and ``report``. Built from the records as they are now: what was withdrawn, forgotten or
deleted is not in it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from adapters.dataset.ai_feedback import CONSTITUTION, ai_feedback, principles
from adapters.dataset.collect import Collected, LeftOut, collect
from adapters.dataset.consent import Consent
from adapters.dataset.deduplicate import SimilarTexts
from adapters.dataset.distractors import Distractors
from adapters.dataset.examples import (
    Example,
    LabelledAnswer,
    PreferencePair,
    Source,
    Split,
    Taught,
    write_items,
)
from adapters.dataset.exchanges import Exchange
from adapters.dataset.golden import Retrieve, golden_exchange, read_golden
from adapters.dataset.preferences import pairs, thumbs
from adapters.dataset.prompt_sample import drop_oracle, prompt_samples
from adapters.dataset.redact import Redactor, redacted
from adapters.dataset.replay import Replay
from adapters.dataset.report import figures_of, markdown
from adapters.dataset.review import Decisions
from adapters.dataset.split import split_threads, without_repeats
from adapters.dataset.supervised import answers, balanced, reflections
from adapters.errors import TooLittleData
from adapters.runs.files import write_atomically
from adapters.runs.manifest import Manifest, Run, run_stage
from adapters.settings import DatasetTable
from bot.domain import prompts
from bot.domain.values import Question
from bot.records.database import Database
from bot.records.feedback import Feedback, Judged
from bot.serving.model import LanguageModel
from indexer.documents import Passage
from indexer.index import Index
from indexer.stores.base import IndexedDocument

_TRUST = (Source.ESCALATION, Source.CORRECTION, Source.GOLDEN, Source.VOTE, Source.RLAIF)


@dataclass(frozen=True, slots=True)
class Material:
    """What a dataset is made of; ``judge`` is asked where the settings want AI feedback."""

    judged: Sequence[Judged]
    documents: Mapping[str, IndexedDocument]
    retrieve: Retrieve
    judge: LanguageModel | None = None


def gather(database: Database, index: Index, judge: LanguageModel | None = None) -> Material:
    """Everything as it is now. Raises RecordsError and StoreError."""
    return Material(
        judged=list(Feedback(database).judged()),
        documents=index.store.documents(),
        retrieve=lambda question: index.retriever(question.audience).passages(question.text),
        judge=judge,
    )


def dataset(
    table: DatasetTable, material: Material, decisions: Path, folder: Path, *, again: bool = False
) -> Manifest:
    """Build and write a dataset; ``decisions`` is the reviewers' file, which need not exist.

    Raises TooLittleData where nothing may be learned, and says why; DatasetError for a damaged
    file; MissingPackage without the detectors; ModelError of the judge.
    """
    judge = _judge(table, material)
    inputs: dict[str, Path | str] = {
        "feedback": _digest([asdict(one) for one in material.judged]),
        "documents": _digest([asdict(one) for one in material.documents.values()]),
        "prompts": prompts.VERSION,
        "judge": judge.identity.sha256 if judge else "",
        "constitution": CONSTITUTION if judge else "",
        "decisions": decisions if decisions.exists() else "",
        "golden": table.golden or "",
        "replay": table.replay or "",
    }

    def work(run: Run) -> None:
        for earlier in run.folder.glob("*.jsonl"):
            earlier.unlink()  # what people took back must not lie about, whatever comes next
        taught, figures = build(table, material, Decisions(decisions).struck)
        _write(taught, run)
        run.metrics.update(figures)
        run.outputs["report"] = run.folder / "report.md"
        write_atomically(run.outputs["report"], markdown(figures))

    return run_stage("dataset", folder, settings=table, inputs=inputs, work=work, again=again)


def build(
    table: DatasetTable, material: Material, struck: frozenset[str] = frozenset()
) -> tuple[Taught, dict[str, Any]]:
    """The examples, their secrets and personal data replaced, and the figures of the report.

    Deterministic for a seed.
    """
    collected = collect(material.judged, material.documents, table)
    exchanges, splits = _chosen(table, material, collected, struck)
    distractors = Distractors(
        [*exchanges, *collected.unjudged], support=table.support, seed=table.seed
    )
    replay = Replay(table.replay, table.replay_share, table.seed)
    redactor = Redactor(table.phone_region)
    taught = Taught()
    one_sided = 0
    for split in Split:
        ours = [exchange for exchange in exchanges if splits[exchange.thread] is split]
        samples = prompt_samples(ours, distractors, table)
        collected.left_out[LeftOut.NOTHING_SHOWN] += len(ours) - len(samples)
        arranged = samples if split is Split.HELD_OUT else drop_oracle(samples, table)
        judgements = list(reflections(arranged))
        in_balance = balanced(judgements)
        one_sided += len(judgements) - len(in_balance)
        examples = [*answers(arranged), *in_balance]
        taught.examples[split] = redacted([*examples, *replay.beside(len(examples))], redactor)
        if split is not Split.HELD_OUT:
            taught.preferences[split] = redacted(pairs(samples), redactor)
            taught.thumbs[split] = redacted(thumbs(samples), redactor)
    judge = _judge(table, material)
    if judge and len(collected.judged) < table.votes_for_people_alone:
        unjudged = _safe_to_judge(collected.unjudged, exchanges, splits, struck, table)
        labels = ai_feedback(prompt_samples(unjudged, distractors, table), judge, principles())
        taught.ai_feedback = redacted(labels, redactor)
        collected.left_out[LeftOut.NOT_JUDGED] -= len(taught.ai_feedback)
    figures = figures_of(taught, collected, redactor.found, table)
    return taught, figures | {"one_sided_judgements_left_out": one_sided}


def _judge(table: DatasetTable, material: Material) -> LanguageModel | None:
    return material.judge if table.ai_feedback == "preferences" else None


def _chosen(
    table: DatasetTable, material: Material, collected: Collected, struck: frozenset[str]
) -> tuple[list[Exchange], dict[str, Split]]:
    """What is learned from, each once, and the split of its thread."""
    everything = [*collected.judged, *_golden(table, material, collected)]
    approved = [exchange for exchange in everything if exchange.id not in struck]
    collected.left_out[LeftOut.STRUCK] += len(everything) - len(approved)
    distinct = _distinct(approved, table.near_duplicate)
    collected.left_out[LeftOut.DUPLICATE] += len(approved) - len(distinct)
    if not distinct:
        raise TooLittleData(_nothing(collected))
    splits = split_threads(
        distinct,
        validation_share=table.validation_share,
        held_out_share=table.held_out_share,
    )
    exchanges, repeated = without_repeats(distinct, splits, table.near_duplicate)
    collected.left_out[LeftOut.REPEATED] += repeated
    return exchanges, splits


def _golden(table: DatasetTable, material: Material, collected: Collected) -> list[Exchange]:
    if table.golden is None:
        return []
    consent = Consent(material.documents, table.opted_in)

    def retrieve(question: Question) -> list[Passage]:
        return list(filter(consent.may_be_learned, material.retrieve(question)))

    found = [golden_exchange(one, retrieve, table.support) for one in read_golden(table.golden)]
    collected.left_out[LeftOut.RETRIEVAL_FAILED] += found.count(None)
    return [exchange for exchange in found if exchange]


def _distinct(exchanges: Iterable[Exchange], threshold: float) -> list[Exchange]:
    """Of exchanges that say the same the most trusted one, in the order they were asked."""
    everything = list(exchanges)
    by_trust = sorted(everything, key=lambda one: (_TRUST.index(one.source), -one.people))
    known = SimilarTexts(threshold)
    kept: set[int] = set()
    for exchange in by_trust:
        told = exchange.good or exchange.bad
        text = f"{exchange.question.text}\n{told.plain if told else ''}"
        if text not in known:
            known.add(text)
            kept.add(id(exchange))
    return [exchange for exchange in everything if id(exchange) in kept]


def _safe_to_judge(
    unjudged: Iterable[Exchange],
    exchanges: Iterable[Exchange],
    splits: Mapping[str, Split],
    struck: frozenset[str],
    table: DatasetTable,
) -> list[Exchange]:
    """No thread that candidate and serving model are compared on, and no question of which people
    have judged an answer: their word holds.
    """
    judged = SimilarTexts(table.near_duplicate)
    for exchange in exchanges:
        judged.add(exchange.question.text)
    return [
        exchange
        for exchange in _distinct(unjudged, table.near_duplicate)
        if splits.get(exchange.thread, Split.TRAIN) is Split.TRAIN
        and exchange.question.text not in judged
        and exchange.id not in struck
    ]


def _write(taught: Taught, run: Run) -> None:
    def put(name: str, items: Iterable[Example | PreferencePair | LabelledAnswer]) -> None:
        run.outputs[name] = write_items(run.folder / f"{name}.jsonl", items)

    for split, examples in taught.examples.items():
        put(split.value, examples)
    for split, suffix in ((Split.TRAIN, ""), (Split.VALIDATION, "_validation")):
        put(f"preferences{suffix}", taught.preferences[split])
        put(f"thumbs{suffix}", taught.thumbs[split])
    put("ai_feedback", taught.ai_feedback)


def _nothing(collected: Collected) -> str:
    reasons = "; ".join(f"{n} {reason}" for reason, n in collected.left_out.most_common() if n)
    return (
        f"There is nothing to learn from ({reasons or 'no answers are recorded'}). Name the "
        "channels that may be learned from in [adapters.dataset] opted_in, and collect votes and "
        "corrections there."
    )


def _digest(values: list[dict[str, Any]]) -> str:
    """Of values in whatever order; sets are sorted, for they come in another order every time."""

    def plain(value: object) -> object:
        return sorted(value) if isinstance(value, frozenset) else str(value)

    lines = sorted(json.dumps(value, sort_keys=True, default=plain) for value in values)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
