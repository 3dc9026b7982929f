"""How an answer came about, as a tree that a person can read."""

from __future__ import annotations

from collections.abc import Iterator

from rich.markup import escape
from rich.tree import Tree

from bot.domain.values import Answer, Reflection
from bot.records.feedback import Judged
from bot.telemetry.spans import trace_id_of
from indexer.documents import Passage

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
    _add(root, "said of it", _feedback(judged))
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


def _feedback(judged: Judged) -> Iterator[str]:
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
