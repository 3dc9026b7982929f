"""``lorebot trace`` and ``lorebot calibrate``: what the records say of the answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from bot.answering.calibration import FEWEST, Fit, fits, labels
from bot.domain import settings as bot_settings
from bot.domain.errors import RecordsError
from bot.domain.settings import Settings
from bot.domain.values import Answer, Reflection
from bot.records.database import Database
from bot.records.feedback import Feedback, Judged
from bot.telemetry.spans import trace_id_of
from indexer.documents import Passage

app = typer.Typer(rich_markup_mode="markdown")


@app.command()
def trace(
    answer: Annotated[
        str, typer.Argument(help="An answer's id, or the link to its message; the newest if empty.")
    ] = "",
) -> None:
    """Show how an answer came about: passages, probabilities, sentences, durations, versions."""
    with _feedback() as (settings, feedback):
        found = feedback.find(answer)
    if found is None:
        raise RecordsError(
            f"There is no answer {answer!r}: give the id that `lorebot trace` shows, or the link "
            "that Slack copies from the reply."
            if answer
            else f"There is no answer yet in {settings.data_dir}: {_elsewhere(settings)}."
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


def _elsewhere(settings: Settings) -> str:
    demo = settings.data_dir / "demo"
    if (demo / "records.sqlite").exists():
        return f"the demo's are shown with LOREBOT_DATA_DIR={demo}"
    return "ask the bot something first"


@contextmanager
def _feedback() -> Iterator[tuple[Settings, Feedback]]:
    settings = bot_settings.load()
    with closing(Database(settings.records_url)) as database:
        yield settings, Feedback(database)


_EXCERPT = 96


def tree(judged: Judged) -> Tree:
    """Question, search, passages, sentences, votes, versions and durations of an answer.

    It shows private text: only to those who may read the records.
    """
    answer = judged.answer
    root = Tree(f"[bold]{escape(_short(answer.question.text))}[/]  → {answer.ending}")
    root.add(f"answer {judged.answer_id}, asked {judged.asked_at:%Y-%m-%d %H:%M} UTC")
    root.add(f"trace {trace_id_of(answer.question.id)}, question {answer.question.id}")
    _add(root, "route", _whole(answer, "retrieve", "needs the documents"))
    if answer.searched:
        root.add(f"searched for: {escape(_short(answer.searched))}")
    readers = ", ".join(answer.question.audience.sorted())
    _add(root, f"passages that {escape(readers)} may read", _passages(answer))
    _add(root, "contradictions", _conflicts(answer))
    _add(root, "sentences", _sentences(answer))
    _add(root, "the whole answer", _whole(answer, "useful", "says what was asked for"))
    _add(root, "said of it", _votes_and_corrections(judged))
    _add(root, "seconds", (f"{time:7.3f}  {stage}" for stage, time in answer.seconds.items()))
    _add(root, "made by", _versions(answer))
    return root


def _passages(answer: Answer) -> Iterator[str]:
    numbers = {citation.passage.chunk.id: citation.number for citation in answer.citations}
    for passage in answer.passages:
        chunk = passage.chunk.id
        judged = ", ".join(
            f"{kind} {_percent(probability)}"
            for kind in ("evidence", "relevant")
            for probability in _probabilities(answer, kind, chunk)
        )
        mark = f"[green]\\[{numbers[chunk]}][/] " if chunk in numbers else ""
        yield f"{mark}{_place(passage)}: score {passage.score:.2f}, {judged or 'not judged'}"


def _place(passage: Passage) -> str:
    date = f", {passage.modified:%Y-%m-%d}" if passage.modified else ""
    return f"{escape(passage.context)} ({escape(passage.chunk.id)}{date})"


def _conflicts(answer: Answer) -> Iterator[str]:
    for reflection in _of_kind(answer, "conflicting"):
        yield f"{_percent(reflection.probability)}  {escape(reflection.subject)}"


def _sentences(answer: Answer) -> Iterator[str]:
    for reflection in _of_kind(answer, "supported"):
        kept = reflection.subject in answer.text
        colour = "green" if kept else "red"
        yield (
            f"[{colour}]{'kept' if kept else 'cut '}[/] {_percent(reflection.probability)}  "
            f"{escape(_short(reflection.subject))}"
        )


def _whole(answer: Answer, kind: str, meaning: str) -> Iterator[str]:
    for reflection in _of_kind(answer, kind):
        yield f"{_percent(reflection.probability)}  {meaning}"


def _votes_and_corrections(judged: Judged) -> Iterator[str]:
    for vote in judged.votes:
        yield f"{vote.thumb} by {escape(vote.voter)}"
    for correction in judged.corrections:
        reason = correction.reason or "corrected"
        yield f"{reason} by {escape(correction.author)}: {escape(_short(correction.text))}"


def _versions(answer: Answer) -> Iterator[str]:
    yield f"model {escape(answer.versions.model) or 'none'}"
    if answer.versions.adapter:
        yield f"adapter {escape(answer.versions.adapter)}"
    yield f"prompts {answer.versions.prompt}"
    yield f"embedder {escape(answer.versions.embedder)}"


def _of_kind(answer: Answer, kind: str) -> list[Reflection]:
    return [reflection for reflection in answer.reflections if reflection.kind == kind]


def _probabilities(answer: Answer, kind: str, chunk: str) -> list[float]:
    return [one.probability for one in _of_kind(answer, kind) if one.subject == chunk]


def _add(root: Tree, label: str, lines: Iterator[str]) -> None:
    listed = list(lines)
    if listed:
        branch = root.add(f"[bold]{label}[/]")
        for line in listed:
            branch.add(line)


def _percent(probability: float) -> str:
    return f"{probability:4.0%}"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _EXCERPT else f"{line[:_EXCERPT]} …"
