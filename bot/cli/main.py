"""The command line: ``lorebot ask``, ``run``, ``worker``, ``demo`` and the groups beside them."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bot.bootstrap.demo import (
    SAMPLE,
    ask_first_question,
    demo_settings,
    demo_workspace,
    name_owners,
)
from bot.bootstrap.wiring import (
    check_slack,
    open_index_worker,
    open_pipeline,
    open_slack_bot,
    open_synced_index,
)
from bot.cli.doctor import app as doctor_app
from bot.cli.model import app as model_app
from bot.cli.operations import app as operations_app
from bot.cli.records import app as records_app
from bot.domain import settings as bot_settings
from bot.domain.errors import BotSettingsError, LorebotError
from bot.domain.settings import Settings
from bot.domain.values import Answer, Question
from bot.records.installations import new_token_key
from bot.telemetry import logs
from indexer.documents import PUBLIC, Audience, Passage
from indexer.errors import IndexerError
from indexer.index import Index, open_index
from indexer.private_files import keep_new_files_private
from indexer.settings import FilesSource, StoreTable
from indexer.sources.base import Unreadable

_CONTROL = dict.fromkeys((*range(9), *range(11, 32), 127, *range(128, 160)))

app = typer.Typer(
    help="Answers a team's questions from the team's own documents, with sources.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",  # Rich's own would swallow the name of a [table]
)
app.add_typer(model_app, name="model")
app.add_typer(records_app)
app.add_typer(operations_app)
app.add_typer(doctor_app)


def main() -> None:
    """Every expected failure is one sentence on stderr and exit code 1."""
    keep_new_files_private()
    try:
        app()
    except (LorebotError, IndexerError) as error:
        typer.echo(f"lorebot: {error}", err=True)
        sys.exit(1)


@app.callback()
def _logging(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what happens.")] = False,
) -> None:
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )


def _log_as(settings: Settings) -> None:
    """As the settings say, from now on; --verbose still means at least info."""
    verbose = logging.getLogger().isEnabledFor(logging.INFO) and settings.logs.level != "debug"
    logs.follow(settings, "info" if verbose else None)


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="What you want to know.")],
    docs: Annotated[
        Path | None,
        typer.Option(help="Answer from this folder alone; its index is kept in a cache."),
    ] = None,
    audience: Annotated[
        list[str] | None,
        typer.Option(help="What the reader may see besides public pages, e.g. slack_channel:C…"),
    ] = None,
) -> None:
    """Answer one question in the terminal; exit code 1 if a document could not be read."""
    if not question.strip():
        raise BotSettingsError('The question is empty; write it in quotes: lorebot ask "…"')
    settings = bot_settings.load()
    about = settings
    if docs is not None:
        about = _settings_for_folder(settings, docs)
    elif not settings.sources:
        typer.echo(
            "lorebot: answering from the sample handbook; name your documents with --docs FOLDER "
            "or add [[sources]] to lorebot.toml.",
            err=True,
        )
        about = _settings_for_folder(settings, SAMPLE)
    readers = Audience.of(PUBLIC, *(audience or ()))
    with _documents(about) as (index, unreadable):
        with open_pipeline(settings, index) as pipeline:
            typer.echo(_rendered(pipeline.answer(Question("terminal", question, readers))))
        if unreadable:
            raise typer.Exit(code=1)


@app.command()
def run(
    http: Annotated[
        str, typer.Option(help="Take Slack's requests at HOST:PORT, in place of Socket Mode.")
    ] = "",
) -> None:
    """Serve Slack: bring the index up to date, connect, answer until stopped."""
    settings = bot_settings.load()
    if http:
        slack = settings.slack.model_copy(update={"mode": "http", "listen": http})
        settings = settings.model_copy(update={"slack": slack})
    _log_as(settings)
    check_slack(settings)
    with (
        _until_stopped() as wait,
        _documents(settings, serving=True) as (index, _),
        open_slack_bot(settings, index),
    ):
        over = f"taking Slack's requests at {settings.slack.listen}"
        how = over if settings.slack.mode == "http" else "connected to Slack"
        typer.echo(f"Lorebot is {how}. Press Ctrl-C to stop.", err=True)
        wait()


@app.command()
def worker() -> None:
    """Keep the index up to date, apart from the bots: needs [index] worker = true everywhere."""
    settings = bot_settings.load()
    if not settings.index.worker:
        raise BotSettingsError(
            "The bot itself keeps the index up to date: set [index] worker = true, here and for "
            "the bot, to leave that to this process."
        )
    if not settings.sources:
        raise BotSettingsError("There is nothing to index: add [[sources]] to lorebot.toml.")
    _log_as(settings)
    with (
        _until_stopped() as wait,
        open_index(settings) as index,
        open_index_worker(settings, index) as refreshing,
    ):
        refreshing.begin()
        typer.echo("Lorebot keeps the index up to date. Press Ctrl-C to stop.", err=True)
        wait()


@app.command()
def manifest(
    http: Annotated[
        str, typer.Option(help="The public address https://… for HTTP; Socket Mode without.")
    ] = "",
    several: Annotated[
        bool, typer.Option("--several", help="Several workspaces install it, by OAuth.")
    ] = False,
) -> None:
    """Print the app's manifest, to be pasted at api.slack.com/apps › From a manifest."""
    from bot.slack.connection.manifest import manifest as app_manifest

    if several and not http:
        raise BotSettingsError("Several workspaces need HTTP: add --http https://….")
    if http and not _is_public_address(http):
        raise BotSettingsError(
            f"{http!r} is no address that Slack can post to; give it whole, with https, for "
            "instance --http https://lorebot.example.com"
        )
    typer.echo(json.dumps(app_manifest(http, several=several), indent=2))


@app.command()
def token_key() -> None:
    """Print a fresh key for [slack] token_keys, which encrypts the workspaces' tokens."""
    typer.echo(new_token_key())


@app.command()
def demo(
    port: Annotated[int, typer.Option(help="The page's port on 127.0.0.1; 0 picks one.")] = 8765,
) -> None:
    """Try everything without Slack: a sample handbook and a local workspace in the browser."""
    settings = bot_settings.load()
    with _until_stopped() as wait, ExitStack() as stack:
        workspace = stack.enter_context(demo_workspace(port))
        settings = demo_settings(settings, workspace)
        index, _ = stack.enter_context(_documents(settings))
        stack.enter_context(open_slack_bot(settings, index))
        name_owners(settings)
        url = ask_first_question(workspace)
        typer.echo(f"\nLorebot has answered its first question. Open\n\n    {url}\n")
        typer.echo("and ask it more. How an answer came about shows, in another terminal,\n")
        typer.echo(f"    LOREBOT_DATA_DIR={shlex.quote(str(settings.data_dir))} lorebot trace\n")
        typer.echo("Press Ctrl-C to stop.")
        wait()


def _rendered(answer: Answer) -> str:
    """The answer with its numbered sources, or the nearest documents where there are none."""
    parts = [answer.text]
    if answer.citations:
        sources = [f"[{found.number}] {_source(found.passage)}" for found in answer.citations]
        parts.append("Sources\n" + "\n".join(sources))
    if answer.nearest:
        nearest = [f" -  {_source(passage)}" for passage in answer.nearest]
        parts.append("The nearest documents\n" + "\n".join(nearest))
    return "\n\n".join(parts).translate(_CONTROL)


def _source(passage: Passage) -> str:
    date = f", {passage.modified:%Y-%m-%d}" if passage.modified else ""
    return f"{passage.context} ({passage.url or passage.chunk.document_id}{date})"


def _is_public_address(address: str) -> bool:
    try:
        parts = urlsplit(address)
        _ = parts.port  # raises for one that is no number
    except ValueError:
        return False
    return (
        parts.scheme == "https"
        and re.fullmatch(r"[\w.:-]+", parts.hostname or "") is not None
        and re.fullmatch(r"[!-~]+", address) is not None
        and not (parts.username or parts.query or parts.fragment)
    )


def _settings_for_folder(settings: Settings, folder: Path) -> Settings:
    """The folder as the only, public source; its index is kept in the cache."""
    path = folder.expanduser().resolve()
    name = hashlib.sha256(str(path).encode()).hexdigest()[:16]
    return settings.model_copy(
        update={
            "data_dir": settings.cache_dir / "folders" / name,
            "store": StoreTable(),  # never the team's own index
            "sources": (FilesSource(name="docs", path=path, audience=(PUBLIC,)),),
        }
    )


@contextmanager
def _documents(
    settings: Settings, *, serving: bool = False
) -> Iterator[tuple[Index, tuple[Unreadable, ...]]]:
    """The synced index, with a progress bar; what could not be read is said on stderr.

    With ``serving``, a source that is away does not keep the bot from answering from the rest.
    """
    if not settings.sources:
        raise BotSettingsError(
            "No documents: name a folder with `lorebot ask --docs FOLDER`, or add [[sources]] to "
            "lorebot.toml (the README shows one)."
        )
    with ExitStack() as stack:
        with _progress_bar() as bar:
            task = bar.add_task("Indexing", total=None, visible=False)
            index, unreadable = stack.enter_context(
                open_synced_index(
                    settings,
                    lambda event: bar.update(
                        task, completed=event.done, total=event.total, visible=event.total > 0
                    ),
                    serving=serving,
                )
            )
        for missed in unreadable:
            typer.echo(f"lorebot: {missed.reason}", err=True)
        yield index, unreadable


def _progress_bar() -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


@contextmanager
def _until_stopped() -> Iterator[Callable[[], object]]:
    """Gives what to wait with; Ctrl-C and SIGTERM end the block in good order, even at its start.

    The handler raises instead of setting an event: the main thread may hold that event's lock.
    """

    def stop(_number: int, _frame: object) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    with suppress(KeyboardInterrupt):
        yield threading.Event().wait


if __name__ == "__main__":
    main()
