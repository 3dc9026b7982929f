"""Read a folder in BEIR's layout (Thakur et al. 2021): corpus, questions, relevance judgements."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from indexer.documents import PUBLIC, Audience, Document
from indexer.errors import EvaluationError
from indexer.file_hash import sha256_of

Judgements = Mapping[str, Mapping[str, int]]
"""Question id → document id → grade; above 0 is relevant."""
_AUDIENCE = Audience.of(PUBLIC)


class BeirCorpus:
    """``corpus.jsonl`` as a source: one public document per line. Raises EvaluationError."""

    name = "corpus"

    def __init__(self, folder: Path) -> None:
        self._path = folder / "corpus.jsonl"

    @property
    def digest(self) -> str:
        """SHA-256 of the file."""
        try:
            return sha256_of(self._path)
        except OSError as error:
            raise _unreadable(self._path, error) from error

    def read(self) -> Iterator[Document]:
        for identifier, record in _records(self._path):
            title = str(record.get("title") or "")
            text = str(record.get("text") or title)
            yield Document(identifier, self.name, title, text, _AUDIENCE)


def read_judgements(folder: Path) -> Judgements:
    """``qrels/test.tsv``: question, document and grade per line, with or without a header line.

    Raises EvaluationError.
    """
    path = folder / "qrels" / "test.tsv"
    judgements: dict[str, dict[str, int]] = {}
    for number, line in _lines(path):
        question, document, grade = _columns(path, number, line)
        if number == 1 and not _is_grade(grade):
            continue
        if not _is_grade(grade):
            raise EvaluationError(
                f"{path}, line {number}: the grade {grade!r} is no whole number; write 0, 1, 2 …"
            )
        judgements.setdefault(question, {})[document] = int(grade)
    if not judgements:
        raise EvaluationError(f"{path} judges no document; add lines of question, document, grade.")
    return judgements


def read_questions(folder: Path, judgements: Judgements) -> Mapping[str, str]:
    """The text of every judged question in ``queries.jsonl``, by id. Raises EvaluationError."""
    path = folder / "queries.jsonl"
    texts = {identifier: record.get("text") for identifier, record in _records(path)}
    without = [question for question in judgements if not texts.get(question)]
    if without:
        raise EvaluationError(
            f"{path} has no text for {len(without)} of {len(judgements)} judged questions, "
            f"for instance {without[0]}; add them or remove their judgements."
        )
    return {question: str(texts[question]) for question in judgements}


def _records(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every line's ``_id`` with the whole record; there is at least one."""
    found = False
    for number, line in _lines(path):
        try:
            record = json.loads(line)
        except ValueError as error:
            raise EvaluationError(f"{path}, line {number}: it is not JSON ({error}).") from error
        if not isinstance(record, dict) or record.get("_id") in (None, ""):
            raise EvaluationError(f'{path}, line {number}: every line is an object with an "_id".')
        found = True
        yield str(record["_id"]), record
    if not found:
        raise EvaluationError(
            f'{path} is empty; write one JSON object with "_id" and "text" per line.'
        )


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines that are not blank, numbered from 1."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, line.rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise EvaluationError(f"{path} is not UTF-8 ({error}); convert it.") from error
    except OSError as error:
        raise _unreadable(path, error) from error


def _columns(path: Path, number: int, line: str) -> tuple[str, str, str]:
    columns = [column.strip() for column in line.split("\t")]
    if len(columns) != 3 or not all(columns):
        raise EvaluationError(
            f"{path}, line {number}: write question, document and grade with tabs between them."
        )
    return columns[0], columns[1], columns[2]


def _is_grade(word: str) -> bool:
    return word.lstrip("-").isdecimal()


def _unreadable(path: Path, error: OSError) -> EvaluationError:
    return EvaluationError(
        f"{path} cannot be read ({error.strerror}); an evaluation needs a folder with "
        "corpus.jsonl, queries.jsonl and qrels/test.tsv."
    )
