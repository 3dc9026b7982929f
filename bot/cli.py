"""The command line: ``lorebot ask``, ``lorebot demo``, ``lorebot run``."""

from __future__ import annotations

import hashlib
import logging
import signal
import sys
import threading
from pathlib import Path
from typing import Annotated

import typer

from bot import settings as bot_settings
from bot.errors import BotSettingsError, LorebotError
from bot.settings import Settings
from indexer.documents import Audience
from indexer.errors import IndexerError
from indexer.settings import FilesSource

app = typer.Typer(
    help="Answers a team's questions from the team's own documents, with sources.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Every expected failure is one sentence on stderr and exit code 1."""
    try:
        app()
    except (LorebotError, IndexerError) as error:
        typer.echo(f"lorebot: {error}", err=True)
        sys.exit(1)


@app.callback()
def _options(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what happens.")] = False,
) -> None:
    logging.basicConfig(
        level=logging.INFO if verbose else logging.ERROR,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="What you want to know.")],
    docs: Annotated[
        Path | None, typer.Option(help="Answer from this folder; its index is kept in a cache.")
    ] = None,
    audience: Annotated[
        list[str] | None,
        typer.Option(help="What the reader may see besides public pages: slack_channel:C…, …"),
    ] = None,
) -> None:
    """Answer one question in the terminal."""
    from bot.bootstrap import open_pipeline
    from bot.domain import Question
    from bot.terminal import rendered

    if not question.strip():
        raise BotSettingsError('The question is empty; write it in quotes: lorebot ask "…"')
    settings = _with_documents(bot_settings.load(), docs)
    readers = Audience.of("public", *(audience or ()))
    with open_synced_library(settings) as (library, unreadable):
        with open_pipeline(settings, library) as pipeline:
            answer = pipeline.answer(Question("terminal", question, readers))
        typer.echo(rendered(answer))
    if unreadable:
        raise typer.Exit(code=1)


@app.command()
def run() -> None:
    """Serve Slack: bring the index up to date, connect, answer until stopped."""
    from bot.bootstrap import open_slack_bot

    settings = _with_documents(bot_settings.load(), None)
    with open_synced_library(settings) as (library, _), open_slack_bot(settings, library):
        typer.echo("Lorebot is connected. Press Ctrl-C to stop.", err=True)
        _wait_for_signal()


@app.command()
def demo(
    port: Annotated[int, typer.Option(help="The page's port on 127.0.0.1; 0 picks one.")] = 8765,
) -> None:
    """Try everything without Slack: a sample handbook and a local workspace in the browser."""
    from bot.demo import demo_settings, running_demo

    settings = demo_settings(bot_settings.load())
    with open_synced_library(settings) as (library, _), running_demo(settings, library, port) as (
        _workspace,
        url,
    ):
        typer.echo(f"\nLorebot has answered its first question. Open\n\n    {url}\n")
        typer.echo("and ask it more. Press Ctrl-C to stop.")
        _wait_for_signal()
