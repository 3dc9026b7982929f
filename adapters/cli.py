"""lorebot-adapters: from votes to a better model, a command a stage, or all of them in one."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from adapters.base_model import libraries
from adapters.display import Terminal
from adapters.errors import AdaptersError
from adapters.line import Line
from adapters.manifest import Manifest
from adapters.review import Decision, Decisions, Page, Verdict, pages
from adapters.settings import AdaptersSettings, load
from adapters.train import plan_training
from bot.errors import LorebotError
from indexer.errors import IndexerError

app = typer.Typer(
    help="Learn from votes: build a dataset, train an adapter, make a verified model file of it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
console = Console(highlight=False)
complaints = Console(stderr=True, highlight=False)

Name = Annotated[
    str, typer.Option("--line", help="Which line: a folder of runs, for instance one a channel.")
]
Base = Annotated[
    Path | None, typer.Option(help="The full-precision base model, in place of the settings'.")
]


def main() -> None:
    """Every expected failure is one sentence on stderr and exit code 1."""
    try:
        app()
    except (AdaptersError, LorebotError, IndexerError) as error:
        complaints.print(escape(str(error)), style="red", soft_wrap=True)
        sys.exit(1)


@app.command()
def dataset(
    line: Name = "default",
    again: Annotated[bool, typer.Option("--again", help="Build it anew in any case.")] = False,
) -> None:
    """Build the examples from votes, corrections and replies as they are now."""
    _report(_line(line).dataset(again=again))


@app.command()
def review(
    line: Name = "default",
    reviewer: Annotated[str, typer.Option(help="Who decides.")] = "",
) -> None:
    """Page through what would be learned, and strike some of it; quit at any time."""
    made = _line(line)
    decisions = Decisions(made.settings.decisions_path)
    undecided = [
        page for page in pages(made.finished("dataset"), decisions) if page.decision is None
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
    line: Name = "default",
    base: Base = None,
    plan: Annotated[bool, typer.Option("--plan", help="Say what it would take, and stop.")] = False,
) -> None:
    """Train an adapter; started again after a crash, it goes on where it was."""
    made = _line(line, base)
    if not plan:
        _report(made.train())
        return
    examples = made.finished("dataset")
    with libraries():
        planned, _, _ = plan_training(
            made.table.train,
            made.base,
            examples=examples.output("train"),
            validation=examples.output("validation"),
        )
    for sentence in planned.sentences():
        console.print(escape(sentence))


@app.command()
def prefer(line: Name = "default", base: Base = None) -> None:
    """Go on with the adapter: learn from corrections over answers, or from thumbs."""
    _report(_line(line, base).prefer())


@app.command()
def merge(line: Name = "default", base: Base = None) -> None:
    """Make adapter and base one model, and check that it predicts the same."""
    _report(_line(line, base).merge())


@app.command()
def convert(line: Name = "default") -> None:
    """Write the merged model as a GGUF file."""
    _report(_line(line).convert())


@app.command()
def quantize(line: Name = "default") -> None:
    """Make the GGUF file small."""
    _report(_line(line).quantize())


@app.command()
def verify(line: Name = "default") -> None:
    """Hold the files against the merged model, tokens first, then numbers."""
    _report(_line(line).verify())


@app.command()
def run(line: Name = "default", base: Base = None) -> None:
    """The whole line; what has been done for the same votes and settings is not done again."""
    _report(_line(line, base).run())


def _line(name: str, base: Path | None = None) -> Line:
    settings: AdaptersSettings = load()
    if base is not None:
        adapters = settings.adapters.model_copy(update={"base": base})
        settings = settings.model_copy(update={"adapters": adapters})
    return Line(settings, name, Terminal(complaints))


def _report(manifest: Manifest) -> None:
    """What came out, and what was measured."""
    console.print(f"{manifest.stage}: {manifest.status} ({manifest.run})")
    for name, value in manifest.metrics.items():
        console.print(f"  {escape(f'{name}: {value}')}", soft_wrap=True)
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
