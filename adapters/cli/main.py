"""lorebot-adapters: from votes to a better model, a command per stage, or all of them in one."""

from __future__ import annotations

import getpass
import json
import signal
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from adapters.cli.worker import working
from adapters.dataset.review import Decision, Decisions, Page, Verdict, pages
from adapters.demo.demo import run_demo
from adapters.errors import AdaptersError
from adapters.evaluate.exercise import ExerciseTable
from adapters.models.base_model import libraries
from adapters.pipeline import TrainingPipeline
from adapters.promote.lineage import lineage, tree
from adapters.runs.display import Terminal
from adapters.runs.manifest import Manifest
from adapters.settings import AdaptersSettings, load
from adapters.train.sft import plan_training
from bot.cli import model
from bot.domain.errors import LorebotError
from bot.models.registry import Registry
from bot.records.database import Database
from bot.telemetry import logs
from indexer.errors import IndexerError
from indexer.private_files import keep_new_files_private

_OLDER_OPTIONS = {"line": "name"}
"""Still taken, and in no help."""

app = typer.Typer(
    help="Learn from votes: build a dataset, train an adapter, make a verified model file of it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",  # Rich's own would swallow the name of a [table]
    context_settings={"token_normalize_func": lambda token: _OLDER_OPTIONS.get(token, token)},
)
console = Console(highlight=False)
complaints = Console(stderr=True, highlight=False)

Name = Annotated[
    str,
    typer.Option("--name", help="Which pipeline: a folder of runs, for instance one per channel."),
]
Base = Annotated[
    Path | None, typer.Option(help="The full-precision base model, in place of the settings'.")
]


def main() -> None:
    """Every expected failure is one sentence on stderr and exit code 1."""
    keep_new_files_private()
    try:
        app()
    except (AdaptersError, LorebotError, IndexerError) as error:
        complaints.print(escape(str(error)), style="red", soft_wrap=True)
        sys.exit(1)


@app.command()
def dataset(
    name: Name = "default",
    again: Annotated[bool, typer.Option("--again", help="Build it anew in any case.")] = False,
) -> None:
    """Build the examples from votes, corrections and replies as they are now."""
    _report(_pipeline(name).dataset(again=again))


@app.command()
def review(
    name: Name = "default",
    reviewer: Annotated[str, typer.Option(help="Who decides.")] = "",
) -> None:
    """Page through what would be learned, and strike some of it; quit at any time."""
    pipeline = _pipeline(name)
    decisions = Decisions(pipeline.settings.decisions_path)
    undecided = [
        page for page in pages(pipeline.finished("dataset"), decisions) if page.decision is None
    ]
    by = reviewer or getpass.getuser()
    for number, page in enumerate(undecided, start=1):
        _show(page, f"{number} of {len(undecided)}")
        choice = typer.prompt("[k]eep, [s]trike or [q]uit", default="k").lower()[:1]
        if choice == "q":
            return
        verdict = Verdict.STRUCK if choice == "s" else Verdict.KEPT
        why = typer.prompt("Why", default="") if verdict is Verdict.STRUCK else ""
        decisions.decide(Decision(page.origin.exchange, verdict, by, why))
    console.print("Everything is reviewed; build the dataset again to leave out what was struck.")


@app.command()
def train(
    name: Name = "default",
    base: Base = None,
    plan: Annotated[bool, typer.Option("--plan", help="Say what it would take, and stop.")] = False,
) -> None:
    """Train an adapter; started again after a crash, it goes on where it was."""
    pipeline = _pipeline(name, base)
    if not plan:
        _report(pipeline.train())
        return
    examples = pipeline.finished("dataset")
    with libraries():
        planned, _, _ = plan_training(
            pipeline.table.train,
            pipeline.base,
            examples=examples.output("train"),
            validation=examples.output("validation"),
        )
    for sentence in planned.sentences():
        console.print(escape(sentence))


@app.command()
def prefer(name: Name = "default", base: Base = None) -> None:
    """Go on with the adapter: learn from corrections over answers, or from thumbs."""
    _report(_pipeline(name, base).prefer())


@app.command()
def merge(name: Name = "default", base: Base = None) -> None:
    """Make adapter and base one model, and check that it predicts the same."""
    _report(_pipeline(name, base).merge())


@app.command()
def convert(name: Name = "default") -> None:
    """Write the merged model, or the base of an unmerged adapter, as a GGUF file."""
    _report(_pipeline(name).convert())


@app.command()
def quantize(name: Name = "default") -> None:
    """Make the GGUF file small."""
    _report(_pipeline(name).quantize())


@app.command()
def verify(name: Name = "default") -> None:
    """Hold the files against what they were made from, tokens first, then numbers."""
    _report(_pipeline(name).verify())


@app.command("lora")
def keep_unmerged(name: Name = "default", base: Base = None) -> None:
    """Write the adapter as a GGUF file of its own, served beside its base ([adapters] served)."""
    _report(_pipeline(name, base).lora())


@app.command()
def evaluate(name: Name = "default") -> None:
    """Compare the new model with what serves, on questions that neither has learned."""
    _compared(_pipeline(name).evaluate())


@app.command()
def exercise(
    corpus: Annotated[Path, typer.Argument(help="A folder in BEIR's layout, such as SciFact's.")],
    documents: Annotated[int, typer.Option(help="Abstracts that are indexed.")] = 1000,
    questions: Annotated[int, typer.Option(help="Questions that are asked.")] = 20,
    model: Annotated[Path | None, typer.Option(help="A GGUF file; else what serves.")] = None,
    name: Name = "default",
) -> None:
    """Ask questions of scientific abstracts, with retrieval and without."""
    table = ExerciseTable(documents=documents, questions=questions)
    _compared(_pipeline(name).exercise(corpus, table, model))


@app.command()
def promote(
    name: Name = "default",
    signed_by: Annotated[str, typer.Option(help="Who answers for it, by name.")] = "",
) -> None:
    """Let the new model answer, where it passes the gate; else say why not."""
    _report(_pipeline(name).promote(by=getpass.getuser(), signed_by=signed_by, again=True))


@app.command()
def canary() -> None:
    """Judge the canary by its votes: call it off, let it go on, or let it answer everybody."""
    model.canary(judge=True)


app.command()(model.rollback)


@app.command("lineage")
def show_lineage(
    which: Annotated[str, typer.Argument(help="An answer's id or link, or a model version.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object only.")] = False,
) -> None:
    """From a served answer back to model version, training runs and data."""
    settings = load()
    with closing(Database(settings.records_url)) as database:
        found = lineage(which, database, Registry(database, settings.models_dir))
    if as_json:
        typer.echo(json.dumps(found.as_json(), indent=2))
    else:
        console.print(tree(found))


@app.command()
def run(name: Name = "default", base: Base = None) -> None:
    """Every stage; what has been done for the same votes and settings is not done again."""
    _report(_pipeline(name, base).run(by=getpass.getuser()))


@app.command()
def worker() -> None:
    """Run pipelines when asked, for instance from Slack; for a machine with a GPU. Ctrl-C stops."""
    # at once: what is begun bears being killed and goes on at the next start
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    settings = load()
    logs.follow(settings)
    with working(settings, Terminal(complaints)):
        threading.Event().wait()


@app.command()
def demo(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object last.")] = False,
    keep: Annotated[Path | None, typer.Option(help="Keep everything in this new folder.")] = None,
) -> None:
    """See it work: a tiny model learns, is promoted, and rolled back; minutes, on any machine."""
    outcome = run_demo(load(), Terminal(complaints), keep)
    typer.echo(json.dumps(outcome.as_json()) if as_json else outcome.summary)
    if not outcome.is_good:
        raise typer.Exit(1)


def _pipeline(name: str, base: Path | None = None) -> TrainingPipeline:
    settings: AdaptersSettings = load()
    if base is not None:
        adapters = settings.adapters.model_copy(update={"base": base})
        settings = settings.model_copy(update={"adapters": adapters})
    return TrainingPipeline(settings, name, Terminal(complaints))


def _report(manifest: Manifest) -> None:
    """What came out, and what was measured."""
    console.print(f"{manifest.stage}: {manifest.status} ({manifest.run})")
    for name, value in manifest.metrics.items():
        console.print(f"  {escape(f'{name}: {value}')}", soft_wrap=True)
    for name in manifest.outputs:
        console.print(f"  → {escape(f'{name}: {manifest.output(name)}')}", soft_wrap=True)


def _compared(manifest: Manifest) -> None:
    """What it comes to; every number is in the manifest, and drawn in the report."""
    console.print(escape(manifest.metrics["verdict"]), style="bold", soft_wrap=True)
    for system, measured in manifest.metrics["means"].items():
        told = ", ".join(f"{metric} {value:.3f}" for metric, value in measured.items())
        console.print(f"  {escape(f'{system}: {told}')}", soft_wrap=True)
    for name in manifest.outputs:
        console.print(f"  → {escape(f'{name}: {manifest.output(name)}')}", soft_wrap=True)


def _show(page: Page, place: str) -> None:
    console.rule(f"{place} · {page.origin.source} · {page.origin.channel or 'no channel'}")
    if page.good:
        console.print(f"[green]Say:[/] {escape(page.good)}")
    if page.bad:
        console.print(f"[red]Do not say:[/] {escape(page.bad)}")
    console.print(f"[dim]Teaches: {escape(', '.join(page.teaches))}[/]")


if __name__ == "__main__":
    main()
