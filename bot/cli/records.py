"""``lorebot trace`` and ``lorebot calibrate``: reading what the records say of the answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from bot.answering.calibration import FEWEST, Fit, fits, labels
from bot.cli.trace import tree
from bot.domain import settings as bot_settings
from bot.domain.errors import RecordsError
from bot.domain.settings import Settings
from bot.records.database import Database
from bot.records.feedback import Feedback

app = typer.Typer(rich_markup_mode="markdown")


@app.command()
def trace(
    answer: Annotated[
        str, typer.Argument(help="An answer's id, or the link to its message; the newest if empty.")
    ] = "",
) -> None:
    """Show how an answer came about: passages, probabilities, sentences, durations, versions."""
    with _feedback() as (_, feedback):
        found = feedback.find(answer)
    if found is None:
        raise RecordsError(
            f"There is no answer {answer!r}: give the id that `lorebot trace` shows, or the link "
            "that Slack copies from the reply."
            if answer
            else "There is no answer yet: ask the bot something first."
        )
    Console().print(tree(found))


@app.command()
def calibrate(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object only.")] = False,
) -> None:
    """Fit the thresholds to people's votes, and print the table for lorebot.toml."""
    with _feedback() as (settings, feedback):
        found = fits(list(labels(feedback.judged())), settings.thresholds)
    if as_json:
        typer.echo(json.dumps([asdict(fit) for fit in found]))
        return
    Console().print(_table(found))
    better = [fit for fit in found if fit.fitted is not None and fit.loss_fitted < fit.loss_present]
    if better:
        typer.echo("These do better on votes that they were not fitted to. For lorebot.toml:\n")
        typer.echo("[thresholds]")
        for fit in better:
            typer.echo(f"{fit.threshold} = {fit.fitted:.3f}")
    else:
        typer.echo("Nothing to change: no fitted threshold does better than the present one.")


def _table(found: list[Fit]) -> Table:
    table = Table("threshold", "right", "wrong", "present", "loss", "fitted", "loss, held out")
    for fit in found:
        enough = fit.fitted is not None
        table.add_row(
            fit.threshold,
            str(fit.right),
            str(fit.wrong),
            f"{fit.present:.3f}",
            f"{fit.loss_present:.3f}" if enough else "",
            f"{fit.fitted:.3f}" if enough else f"needs {FEWEST} of each",
            f"{fit.loss_fitted:.3f}" if enough else "",
        )
    return table


@contextmanager
def _feedback() -> Iterator[tuple[Settings, Feedback]]:
    settings = bot_settings.load()
    with closing(Database(settings.records_url)) as database:
        yield settings, Feedback(database)
