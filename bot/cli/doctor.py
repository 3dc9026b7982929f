"""``lorebot doctor``: checks every dependency and setting, and says what mends each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from bot.domain import settings as bot_settings
from bot.domain.errors import BotSettingsError
from bot.operations.doctor.examination import CHECKS, examine
from bot.operations.doctor.finding import Finding, wrong

app = typer.Typer(rich_markup_mode="markdown")


@app.command()
def doctor(
    only: Annotated[
        list[str] | None, typer.Option(help=f"One check, repeatable: {', '.join(CHECKS)}.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON list only.")] = False,
) -> None:
    """Look at everything that Lorebot needs; exit code 1 if something is to be mended."""
    console, found = Console(highlight=False), list[Finding]()
    for finding in _findings(only or ()):
        found.append(finding)
        if not as_json:
            _show(console, finding)
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in found], indent=1))
    if any(not finding.ok for finding in found):
        raise typer.Exit(code=1)


def _findings(only: Sequence[str]) -> Iterator[Finding]:
    try:
        settings = bot_settings.load()
    except BotSettingsError as error:
        mend = "Correct lorebot.toml or the environment; nothing else can be looked at before."
        yield wrong("settings", str(error), mend)
        return
    yield from examine(settings, only)


def _show(console: Console, finding: Finding) -> None:
    mark = "[green]✓[/]" if finding.ok else "[red]✗[/]"
    console.print(f"{mark} {finding.check}: {escape(finding.said)}", soft_wrap=True)
    if finding.mend:
        console.print(f"    → {escape(finding.mend)}", soft_wrap=True)
