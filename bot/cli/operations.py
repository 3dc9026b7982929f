"""``lorebot backup``, ``restore`` and ``retention``."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.filesize import decimal

from bot.domain import settings as bot_settings
from bot.domain.errors import RecordsError
from bot.operations.backup import back_up
from bot.operations.restore import Restored
from bot.operations.restore import restore as restore_backup
from bot.records.database import Database
from bot.records.retention import Retention

app = typer.Typer(rich_markup_mode="markdown")


@app.command()
def backup(
    target: Annotated[
        Path, typer.Argument(help="A new .zip file, or the folder to write one into.")
    ],
    models: Annotated[
        bool, typer.Option("--models", help="With the model files of data_dir/models.")
    ] = False,
) -> None:
    """Write all that cannot be rebuilt into one file, also while the bot answers."""
    with _cleaning_up_on_sigterm():
        path, manifest = back_up(bot_settings.load(), target, models=models)
    typer.echo(f"{path} ({decimal(path.stat().st_size)}): {len(manifest.parts)} parts.")


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="What `lorebot backup` has written.")],
    force: Annotated[
        bool, typer.Option("--force", help="Even where there are records; they are kept beside.")
    ] = False,
    forgotten: Annotated[
        Path | None,
        typer.Option(help="A newer backup: who was forgotten there is not brought back."),
    ] = None,
) -> None:
    """Put a backup in place, after all of it has been checked; no bot may be running."""
    with _cleaning_up_on_sigterm():
        restored = restore_backup(bot_settings.load(), file, force=force, forgotten=forgotten)
    for line in _said(restored):
        typer.echo(line)


@app.command()
def retention(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would go.")] = False,
) -> None:
    """Delete now what is older than [retention] allows, as the bot does every night."""
    settings = bot_settings.load()
    if not settings.has_records:
        raise RecordsError("There are no records yet, so nothing is too old.")
    with closing(Database(settings.records_url)) as database:
        kept = Retention(database, settings.retention)
        said = f"Would go: {kept.expired()}." if dry_run else f"Deleted: {kept.delete()}."
    typer.echo(said)


@contextmanager
def _cleaning_up_on_sigterm() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C does, once: its clean-up is not ended by another."""

    def stop(number: int, _frame: object) -> None:
        signal.signal(number, signal.SIG_IGN)
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _said(restored: Restored) -> list[str]:
    manifest = restored.manifest
    lines = [
        f"Restored as of {manifest.made_at:%Y-%m-%d %H:%M} UTC, every part as it was kept. "
        f"{restored.unfinished} questions are answered at the next start."
    ]
    if restored.forgotten_again:
        lines.append(f"{restored.forgotten_again} that were forgotten are forgotten again.")
    if restored.replaced:
        lines.append(f"What was there is in {restored.replaced}: delete it when all is well.")
    if restored.missing_models:
        names = ", ".join(restored.missing_models)
        lines.append(f"Files of these models are missing; pull or add them again: {names}.")
    return [*lines, *restored.warnings]
