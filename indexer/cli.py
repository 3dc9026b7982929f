"""lorebot-index: sync, inspect, search and evaluate the index from a terminal."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

from indexer.documents import PUBLIC, Audience, Passage
from indexer.errors import IndexerError, IndexSettingsError, StoreOutdated
from indexer.index import Index, open_index, open_source, open_sources
from indexer.private_files import keep_new_files_private
from indexer.retrieval.nodes import Explanation
from indexer.settings import FilesSource as FilesTable
from indexer.settings import IndexSettings, load
from indexer.sources.base import Source
from indexer.stores.base import IndexedDocument
from indexer.sync.journal import Entry
from indexer.sync.sync import Plan, Progressed, Report

app = typer.Typer(
    help="Index documents and search them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",  # Rich's own would swallow the name of a [table]
)
console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


def main() -> None:
    """An IndexerError is printed as its sentence, with exit code 1 and no traceback."""
    keep_new_files_private()
    try:
        app()
    except IndexerError as error:
        errors.print(escape(str(error)), style="red")
        sys.exit(1)


@app.command()
def sync(
    folder: Annotated[
        Path | None, typer.Argument(help="One public folder instead of the settings' sources.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done.")] = False,
    allow_shrink: Annotated[
        bool, typer.Option("--allow-shrink", help="Delete even if most of a source vanished.")
    ] = False,
) -> None:
    """Bring the index up to date: new and changed documents are embedded, vanished ones go."""
    settings = load(IndexSettings)
    sources = [_folder_source(folder, settings)] if folder else open_sources(settings)
    with open_index(settings) as index:
        if index.outdated:
            _announce_rebuild(settings, folder)
        plans = index.plan(sources, complete=folder is None, allow_shrink=allow_shrink)
        if dry_run:
            console.print(_plan_table(plans))
        else:
            reports = [_apply(index, plan) for plan in plans]
            index.finish(reports)
            console.print(_report_table(reports))
    _finish(plans)


@app.command()
def rebuild() -> None:
    """Embed everything anew, beside the index that is searched, and swap the two at the end."""
    settings = load(IndexSettings)
    sources = open_sources(settings)
    with open_index(settings) as index:
        index.begin_rebuild()
        plans = index.plan(sources, allow_shrink=True)
        reports = [_apply(index, plan) for plan in plans]
        index.finish(reports)
        console.print(_report_table(reports))
    _finish(plans)


@app.command()
def plan() -> None:
    """Say what a sync would do; the same as ``sync --dry-run``."""
    sync(folder=None, dry_run=True)


@app.command()
def status() -> None:
    """What is indexed, how fresh it is, and what could not be read."""
    settings = _settings_of_an_index()
    with open_index(settings) as index:
        documents = index.store.documents().values()
        journal = index.journal.read()
        console.print(f"{settings.index_address}, embedded by {index.embedding.identity}")
        table = Table("source", "documents", "chunks", "last sync", "unreadable", "coverage")
        for source in sorted({document.source for document in documents} | journal.keys()):
            of_source = [document for document in documents if document.source == source]
            table.add_row(source, *_freshness(of_source, journal.get(source)))
        console.print(table)
    for source, entry in sorted(journal.items()):
        for reason in filter(None, (entry.failure, *entry.unreadable.values())):
            console.print(f"{source}: {escape(reason)}", style="yellow")


def _freshness(documents: list[IndexedDocument], entry: Entry | None) -> tuple[str, ...]:
    """Counts, the time of the last sync, and which share of the source's documents is indexed."""
    chunks = sum(document.chunks for document in documents)
    counts = (str(len(documents)), str(chunks))
    if entry is None:
        return (*counts, "never finished", "?", "?")
    missed = len(entry.unreadable.keys() - {document.id for document in documents})
    share = len(documents) / (len(documents) + missed) if documents or missed else 1.0
    moment = f"{entry.finished.astimezone():%Y-%m-%d %H:%M}"
    return (*counts, moment, str(len(entry.unreadable)), f"{share:.0%}")


@app.command()
def search(
    text: Annotated[str, typer.Argument(help="A question or some words.")],
    audience: Annotated[
        list[str], typer.Option(help="Who reads: public, slack_channel:C…, group:…; repeatable.")
    ],
    explain: Annotated[bool, typer.Option("--explain", help="Show how scores came about.")] = False,
) -> None:
    """The best passages that this audience may read."""
    with open_index(_settings_of_an_index()) as index:
        found = index.retriever(Audience.parse(audience)).explained(text)
    if not found:
        console.print("Nothing that this audience may read was found.")
    for number, (passage, _) in enumerate(found, 1):
        _print_passage(number, passage)
    if found and explain:
        console.print(_explanation_table(found))


@app.command()
def evaluate(
    folder: Annotated[
        Path, typer.Argument(help="Holds corpus.jsonl, queries.jsonl and qrels/test.tsv.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object only.")] = False,
) -> None:
    """How well the settings retrieve: judged questions asked of their own corpus."""
    from indexer.evaluation import evaluate as measure

    with _progress() as progress:
        result = measure(folder, load(IndexSettings), progress)
    if as_json:
        typer.echo(json.dumps(result.named()))
        return
    table = Table("", *result.fused.named(), title=f"{result.questions} questions")
    for name in ("lexical", "dense", "fused"):
        measures = getattr(result, name).named()
        table.add_row(name, *(f"{value:.4f}" for value in measures.values()))
    console.print(table)


def _settings_of_an_index() -> IndexSettings:
    settings = load(IndexSettings)
    if settings.store.kind == "sqlite" and not settings.index_path.exists():
        raise IndexSettingsError(
            f"There is no index at {settings.index_path} yet; run `lorebot-index sync`."
        )
    return settings


def _announce_rebuild(settings: IndexSettings, folder: Path | None) -> None:
    """Refuses a rebuild from one folder while the settings name sources: it would drop them."""
    if folder is not None and settings.sources:
        raise StoreOutdated(
            "The index was built by another embedder or version; run `lorebot-index sync` "
            "without a folder first."
        )
    console.print("The index was built by another embedder or version: all of it is made anew.")
    if folder is not None:
        console.print("Other folders that were in it have to be indexed again.")


def _folder_source(folder: Path, settings: IndexSettings) -> Source:
    name = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-") or "documents"
    return open_source(FilesTable(name=name, path=folder, audience=(PUBLIC,)), settings)


def _apply(index: Index, plan: Plan) -> Report:
    with _progress() as progress:
        return index.apply(plan, progress)


@contextmanager
def _progress() -> Iterator[Callable[[Progressed], None]]:
    """A progress bar that is removed at the end."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=errors, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda event: bar.update(
            task, description=event.source, completed=event.done, total=event.total
        )


_COUNTS = ("source", "new", "changed", "other readers", "gone", "unchanged", "unreadable")


def _plan_table(plans: list[Plan]) -> Table:
    table = Table(*_COUNTS, title="would be")
    for plan in plans:
        parts = (plan.added, plan.changed, plan.audience_only, plan.deleted)
        counts = [*map(len, parts), plan.unchanged, len(plan.unreadable)]
        table.add_row(plan.source, *map(str, counts))
    return table


def _report_table(reports: list[Report]) -> Table:
    table = Table(*_COUNTS, "chunks embedded")
    for report in reports:
        counts = (
            report.added,
            report.changed,
            report.audience_only,
            report.deleted,
            report.unchanged,
            len(report.unreadable),
            report.chunks,
        )
        table.add_row(report.source, *map(str, counts))
    return table


def _finish(plans: list[Plan]) -> None:
    """List what could not be read, and exit with 1, so that scripts notice; the rest is indexed."""
    unreadable = [one for plan in plans for one in plan.unreadable]
    if unreadable:
        errors.print(f"{len(unreadable)} could not be read; their old versions stay:")
        for one in unreadable:
            errors.print(f"  {escape(one.reason)}")
    failures = [plan.failure for plan in plans if plan.failure]
    for failure in failures:
        errors.print(escape(failure), style="red")
    if unreadable or failures:
        raise typer.Exit(1)


def _print_passage(number: int, passage: Passage) -> None:
    console.print(f"[bold]{number}. {escape(passage.context)}[/bold]  {escape(passage.url)}")
    console.print(escape(" ".join(passage.chunk.text.split())[:400]), style="none")


_REASONS = ("lexical", "dense", "fused", "rerank", "recency", "duplicates", "audience")


def _explanation_table(found: Sequence[tuple[Passage, Explanation]]) -> Table:
    """Per leg the rank and score: lexical as a share of the best BM25 score, dense as cosine."""
    table = Table("", Column("chunk", overflow="fold"), *_REASONS, box=SIMPLE, pad_edge=False)
    for number, (passage, why) in enumerate(found, 1):
        merged = "".join(f" +{position}" for position in why.merged[1:])
        table.add_row(
            str(number),
            escape(passage.chunk.id) + merged,
            f"#{why.lexical_rank} {why.lexical:.3f}" if why.lexical_rank else "–",
            f"#{why.dense_rank or '–'} {why.similarity:.3f}",
            f"{why.fused:.3f}",
            "–" if why.reranked is None else f"{why.reranked:.3f}",
            f"{why.freshness:+.4f}",
            str(why.folded),
            ", ".join(passage.audience.sorted()),
        )
    return table
