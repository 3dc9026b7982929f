"""``lorebot model``: which models there are, which one answers, and the way back."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from bot.domain import settings as bot_settings
from bot.domain.errors import BotSettingsError, ModelCrashes
from bot.domain.settings import Settings
from bot.models.canary_votes import watch_canary
from bot.models.pull import pull as pull_model
from bot.models.registry import Registry
from bot.models.versions import Canary, ModelVersion, Serving
from bot.records.database import Database
from bot.serving.opening import try_model
from indexer.trials import Trials

app = typer.Typer(
    help="Add, pull and choose the language models that answer.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
_SOON = "A running bot takes it over within seconds, after the answers it is writing."

Name = Annotated[str, typer.Argument(help="A version, as `lorebot model list` names it.")]
VersionName = Annotated[str, typer.Option("--name", help="What to call it; the file's name.")]
Base = Annotated[str, typer.Option("--base", help="The version that this LoRA adapter needs.")]

Opened = tuple[Settings, Database, Registry]


@app.command("list")
def list_versions(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object only.")] = False,
) -> None:
    """All versions, and which of them answers whom."""
    with _registry() as (settings, _, registry):
        versions, serving = registry.versions(), registry.serving()
    pinned = settings.model.pinned_by
    if as_json:
        typer.echo(json.dumps(_as_json(versions, serving, pinned), indent=2))
        return
    if versions:
        Console().print(_table(versions, serving))
    else:
        typer.echo("There are no versions yet: lorebot model pull hf:owner/repository/file.gguf")
    if pinned:
        typer.echo(f"lorebot: {pinned} names the model, so none of these answers.", err=True)


@app.command()
def add(
    file: Annotated[Path, typer.Argument(help="A GGUF file; it stays where it is.")],
    name: VersionName = "",
    base: Base = "",
    note: Annotated[str, typer.Option(help="A remark for the list.")] = "",
) -> None:
    """Register a file of this machine; the same file again notes its new place."""
    with _registry() as (settings, _, registry):
        _added(settings, registry.add(file, name=name, base=base, note=note))


@app.command()
def pull(
    source: Annotated[
        str, typer.Argument(help="hf:owner/repository/file.gguf[@revision], or https://….")
    ],
    name: VersionName = "",
    base: Base = "",
    sha256: Annotated[str, typer.Option(help="What the file's SHA-256 must be.")] = "",
) -> None:
    """Download a model, going on where an earlier try broke off, check and register it."""
    with _registry() as (settings, _, registry), _download_bar() as bar:
        task = bar.add_task("Pulling", total=None)
        version = pull_model(
            registry,
            source,
            name=name,
            base=base,
            sha256=sha256,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    _added(settings, version)


@app.command()
def use(name: Name) -> None:
    """Let a version answer everybody; ends a canary."""
    with _deciding_registry() as (settings, _, registry):
        _try(settings, registry.version(name))
        version = registry.activate(name, _person())
    typer.echo(f"{version.name} answers from now on. {_SOON}")


@app.command()
def canary(
    name: Annotated[str, typer.Argument(help="The version to try; none with --end.")] = "",
    share: Annotated[float, typer.Option(help="Part of the questions, 0 to 1.")] = 0.0,
    channel: Annotated[
        list[str] | None, typer.Option(help="A channel's id, C…; repeatable.")
    ] = None,
    end: Annotated[bool, typer.Option("--end", help="Give the questions back.")] = False,
    judge: Annotated[
        bool, typer.Option("--judge", help="Decide by its votes now, as a running bot does.")
    ] = False,
) -> None:
    """Let a version answer some channels, or a share of the questions, before it answers all."""
    if [bool(name), end, judge].count(True) != 1 or (not name and (share or channel)):
        raise BotSettingsError(
            "Say which version to try (lorebot model canary NAME --share 0.1), or --end alone, "
            "or --judge alone."
        )
    with _deciding_registry() as (settings, database, registry):
        if judge:
            typer.echo(watch_canary(database, registry, settings.canary).sentence)
        elif end:
            registry.end_canary(_person())
            typer.echo(f"The canary has ended. {_SOON}")
        else:
            _try(settings, registry.version(name))
            begun = registry.canary(name, _person(), share=share, channels=tuple(channel or ()))
            typer.echo(f"{name} answers {_reach(begun)} from now on. {_SOON}")


@app.command()
def rollback() -> None:
    """Undo the newest step: end the canary, or return to what answered before."""
    with _deciding_registry() as (_, _, registry):
        version = registry.rollback(_person())
    now = f"{version.name} answers" if version else "No model answers: documents are quoted"
    typer.echo(f"{now} from now on. {_SOON}")


@app.command()
def remove(
    name: Name,
    force: Annotated[bool, typer.Option("--force", help="Even while it answers.")] = False,
) -> None:
    """Forget a version; a pulled file is deleted, an added one stays where it is."""
    with _registry() as (_, _, registry):
        registry.remove(name, _person(), force=force)
    typer.echo(f"{name} is forgotten.")


@app.command()
def history() -> None:
    """Who changed what answers, and when; the newest first."""
    with _registry() as (_, _, registry):
        changes = registry.history()
    table = Table("when", "who", "did", "version", "answers", "canary")
    for change in changes:
        when = f"{change.at.astimezone():%Y-%m-%d %H:%M}"
        row = (change.by, change.action, change.version, change.serving or "–", change.canary)
        table.add_row(when, *map(escape, row))
    Console().print(table)


@contextmanager
def _registry() -> Iterator[Opened]:
    settings = bot_settings.load()
    with closing(Database(settings.records_url)) as database:
        yield settings, database, Registry(database, settings.models_dir)


@contextmanager
def _deciding_registry() -> Iterator[Opened]:
    """Refuses where what is decided would have no effect."""
    with _registry() as opened:
        if pinned := opened[0].model.pinned_by:
            raise BotSettingsError(
                f"{pinned} names the model, so the registry does not decide which one answers: "
                "remove that setting first, then say this again."
            )
        yield opened


def _person() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "unknown"


def _added(settings: Settings, version: ModelVersion) -> None:
    typer.echo(f"{version.name} is registered (SHA-256 {version.sha256}).")
    _try(settings, version)
    typer.echo(f"Let it answer: lorebot model use {version.name}")


def _try(settings: Settings, version: ModelVersion) -> None:
    """Says what is unusual about loading it on this machine.

    Raises ModelCrashes where that would end the bot's process.
    """
    trials = Trials(settings.cache_dir)
    verdict = try_model(settings.model, version.weights, trials, version.adapter)
    if not verdict.is_usable:
        raise ModelCrashes(verdict.note)
    if verdict.note:
        typer.echo(verdict.note)


def _reach(canary: Canary) -> str:
    parts = [f"{canary.share:.3g} of all questions" if canary.share else "", *canary.channels]
    return " and ".join(filter(None, parts))


def _role(version: ModelVersion, serving: Serving) -> str:
    if serving.version and version.name == serving.version.name:
        return "answers"
    if serving.canary and version.name == serving.canary.version.name:
        return f"canary: {_reach(serving.canary)}"
    return ""


def _table(versions: list[ModelVersion], serving: Serving) -> Table:
    table = Table("version", "", "quantization", "size", "base", "measured", "added", "note")
    for version in versions:
        row = (
            version.name,
            _role(version, serving),
            version.quantization or "?",
            decimal(version.size),
            version.base.name if version.base else "",
            ", ".join(f"{name} {value:.3g}" for name, value in version.evaluation.items()),
            f"{version.added_at.astimezone():%Y-%m-%d}",
            version.note,
        )
        table.add_row(*map(escape, row))
    return table


def _as_json(versions: list[ModelVersion], serving: Serving, pinned: str) -> dict[str, Any]:
    canary = serving.canary
    return {
        "pinned": pinned or None,
        "serving": serving.version.name if serving.version else None,
        "canary": canary
        and {"version": canary.version.name, "share": canary.share, "channels": canary.channels},
        "versions": [
            {
                "name": version.name,
                "path": str(version.path),
                "sha256": version.sha256,
                "size": version.size,
                "quantization": version.quantization,
                "base": version.base.name if version.base else None,
                "source": version.source,
                "added_at": version.added_at.isoformat(),
                "evaluation": dict(version.evaluation),
                "note": version.note,
            }
            for version in versions
        ],
    }


def _download_bar() -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
