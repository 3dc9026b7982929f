"""Stores questions, and one answer per question with its passages, reflections and versions."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from bot.domain.errors import QuestionForgotten
from bot.domain.values import (
    Answer,
    Asked,
    AttachedFile,
    Citation,
    Ending,
    Occasion,
    Question,
    Reflection,
    Versions,
)
from bot.records.database import Database
from bot.records.tables import AnswerRow, PassageRow, QuestionRow, ReflectionRow
from indexer.documents import Audience, Chunk, Passage


@dataclass(frozen=True, slots=True)
class Reply:
    """The message that holds, or will hold, a question's answer.

    ``attempted`` says that posting it was tried before: with no ``ts`` known, a crash came between
    posting and remembering, and the thread must be searched for it.
    """

    attempted: bool
    ts: str


class Answers:
    def __init__(self, database: Database) -> None:
        self._database = database

    def ask(self, asked: Asked) -> bool:
        """Keep a question; keeping the same one again changes nothing and returns False."""
        with self._database.session() as session:
            if session.get(QuestionRow, asked.id) is not None:
                return False
            session.add(
                QuestionRow(
                    id=asked.id,
                    event_id=asked.event_id,
                    channel=asked.channel,
                    thread=asked.thread,
                    asker=asked.asker,
                    text=asked.text,
                    is_direct=asked.is_direct,
                    is_shared=asked.is_shared,
                    team=asked.team,
                    occasion=asked.occasion,
                    response_url=asked.response_url,
                    files=[asdict(file) for file in asked.files],
                    asked_at=datetime.now(UTC),
                )
            )
            return True

    def asked(self, question_id: str) -> Asked:
        """Raises QuestionForgotten."""
        with self._database.reading() as session:
            row = _kept(session, question_id)
            return Asked(
                id=row.id,
                event_id=row.event_id,
                channel=row.channel,
                thread=row.thread,
                asker=row.asker,
                text=row.text,
                is_direct=row.is_direct,
                is_shared=row.is_shared,
                team=row.team,
                occasion=Occasion(row.occasion),
                response_url=row.response_url,
                files=tuple(AttachedFile(**file) for file in row.files),
            )

    def note_files(self, question_id: str, files: Sequence[AttachedFile]) -> None:
        """Keep what became of the files of a question."""
        with self._database.session() as session:
            row = session.get_one(QuestionRow, question_id)
            row.files = [asdict(file) for file in files]

    def begin_reply(self, question_id: str) -> Reply:
        """Note that the reply is about to be posted, and tell what was known before."""
        with self._database.session() as session:
            row = session.get_one(QuestionRow, question_id)
            before = Reply(row.reply_attempted_at is not None, row.reply_ts or "")
            row.reply_attempted_at = row.reply_attempted_at or datetime.now(UTC)
            return before

    def reply_posted(self, question_id: str, ts: str) -> None:
        """Keep where the reply is; does nothing where the question is not kept any more."""
        with self._database.session() as session:
            if row := session.get(QuestionRow, question_id):
                row.reply_ts = ts

    def look_for_earlier_replies(self) -> int:
        """Let every unfinished question first look whether its thread holds its answer already.

        Restored records do not know what was posted since they were kept. Returns how many
        questions are unfinished.
        """
        unfinished = QuestionRow.finished_at.is_(None)
        with self._database.session() as session:
            session.execute(
                update(QuestionRow)
                .where(unfinished, QuestionRow.reply_attempted_at.is_(None))
                .values(reply_attempted_at=datetime.now(UTC))
            )
            return len(session.scalars(select(QuestionRow.id).where(unfinished)).all())

    def save(self, answer: Answer) -> str:
        """Keep an answer and return its id; a question's first answer stays its only one.

        Raises QuestionForgotten.
        """
        with self._database.session() as session:
            _kept(session, answer.question.id)
            known = session.scalar(
                select(AnswerRow.id).where(AnswerRow.question_id == answer.question.id)
            )
            if known:
                return known
            row = _row(answer)
            session.add(row)
            return row.id

    def find(self, question_id: str) -> str | None:
        """The id of a question's answer, if there is one."""
        with self._database.reading() as session:
            return session.scalar(select(AnswerRow.id).where(AnswerRow.question_id == question_id))

    def answered_by(self, channel: str, reply_ts: str) -> str | None:
        """The id of the answer that a message holds, if it holds one."""
        with self._database.reading() as session:
            return session.scalar(
                select(AnswerRow.id)
                .join(QuestionRow)
                .where(QuestionRow.channel == channel, QuestionRow.reply_ts == reply_ts)
            )

    def answer(self, answer_id: str) -> Answer | None:
        """An answer as it was given, or None where there is none of that id."""
        with self._database.reading() as session:
            row = session.get(AnswerRow, answer_id)
            return _answer(row) if row else None


def _kept(session: Session, question_id: str) -> QuestionRow:
    row = session.get(QuestionRow, question_id)
    if row is None:
        raise QuestionForgotten("That question is not kept any more.")
    return row


def _row(answer: Answer) -> AnswerRow:
    numbers = {citation.passage.chunk.id: citation.number for citation in answer.citations}
    nearest = {passage.chunk.id for passage in answer.nearest}
    kept = {
        passage.chunk.id: passage
        for passage in (
            *answer.passages,
            *answer.nearest,
            *(citation.passage for citation in answer.citations),
        )
    }
    return AnswerRow(
        id=uuid.uuid4().hex,
        question_id=answer.question.id,
        text=answer.text,
        ending=answer.ending,
        audience=list(answer.question.audience.sorted()),
        answered_at=datetime.now(UTC),
        prompt_version=answer.versions.prompt,
        model=answer.versions.model,
        adapter=answer.versions.adapter,
        embedder=answer.versions.embedder,
        searched=answer.searched,
        seconds=answer.seconds,
        passages=[
            PassageRow(
                rank=rank,
                document_id=passage.chunk.document_id,
                position=passage.chunk.position,
                title=passage.title,
                headers=list(passage.chunk.headers),
                text=passage.chunk.text,
                url=passage.url,
                modified=passage.modified,
                audience=list(passage.audience.sorted()),
                score=passage.score,
                similarity=passage.similarity,
                lexical=passage.lexical,
                citation=numbers.get(chunk_id),
                nearest=chunk_id in nearest,
            )
            for rank, (chunk_id, passage) in enumerate(kept.items())
        ],
        reflections=[
            ReflectionRow(
                position=position,
                kind=reflection.kind,
                subject=reflection.subject,
                probability=reflection.probability,
            )
            for position, reflection in enumerate(answer.reflections)
        ],
    )


def _passage(row: PassageRow) -> Passage:
    return Passage(
        chunk=Chunk(row.document_id, row.position, row.text, tuple(row.headers)),
        title=row.title,
        audience=Audience(frozenset(row.audience)),
        score=row.score,
        similarity=row.similarity,
        lexical=row.lexical,
        url=row.url,
        modified=row.modified,
    )


def _answer(row: AnswerRow) -> Answer:
    cited = sorted((p.citation, p) for p in row.passages if p.citation is not None)
    return Answer(
        question=Question(
            id=row.question.id,
            text=row.question.text,
            audience=Audience(frozenset(row.audience)),
            asker=row.question.asker,
            channel=row.question.channel,
            thread=row.question.thread,
        ),
        text=row.text,
        ending=Ending(row.ending),
        versions=Versions(row.prompt_version, row.model, row.embedder, row.adapter),
        citations=tuple(Citation(number, _passage(passage)) for number, passage in cited),
        passages=tuple(_passage(passage) for passage in row.passages),
        nearest=tuple(_passage(passage) for passage in row.passages if passage.nearest),
        reflections=tuple(Reflection(r.kind, r.subject, r.probability) for r in row.reflections),
        searched=row.searched,
        seconds=row.seconds,
    )
