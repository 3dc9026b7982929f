"""A small team whose questions, votes and corrections are kept in real records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import update

from adapters.dataset.build import Material
from adapters.settings import DatasetTable
from bot.domain.values import (
    Answer,
    Asked,
    Citation,
    Correction,
    CorrectionKind,
    Ending,
    Question,
    Reason,
    Reflection,
    Thumb,
    Versions,
    Vote,
)
from bot.records.answers import Answers
from bot.records.database import Database
from bot.records.feedback import Corrections, Feedback, Votes
from bot.records.tables import QuestionRow
from bot.serving.model import LanguageModel
from indexer.documents import Audience, Chunk, Passage
from indexer.stores.base import IndexedDocument

BEGINNING = datetime(2026, 1, 5, 9, tzinfo=UTC)
OPEN = DatasetTable(opted_in=["slack_channel:C0HELP"], held_out_share=0.2, validation_share=0.2)

# One page a topic; no page holds the sentence of another.
PAGES = {
    "meals": "Meals on a journey are paid up to 45 EUR a day.",
    "hotel": "Hotel rooms may cost 140 EUR a night including breakfast.",
    "leave": "Newcomers receive 27 days of paid holiday every year.",
    "laptop": "Report a stolen laptop to security within two hours.",
    "vpn": "The tunnel requires a hardware token issued by facilities.",
    "badge": "Replacement badges are printed at reception on Mondays.",
    "parking": "Bicycles stand in the basement garage behind gate four.",
    "printer": "Colour printouts need a cost centre entered beforehand.",
    "kitchen": "Empty the dishwasher when its green lamp is lit.",
    "training": "Language courses begin in February and September.",
}


def page(topic: str, *audience: str, text: str = "") -> Passage:
    return Passage(
        chunk=Chunk(f"handbook:{topic}.md", 0, text or PAGES[topic]),
        title=topic.capitalize(),
        audience=Audience.of(*(audience or ("public",))),
        score=0.5,
        similarity=0.5,
        lexical=0.5,
    )


@dataclass
class Team:
    """Asks, votes and corrects in a database; every question is a thread of its own unless named.

    ``documents`` are those of the index; what an answer shows is indexed by itself.
    """

    database: Database
    documents: dict[str, IndexedDocument] = field(default_factory=dict)
    asked: int = 0

    def answered(
        self,
        question: str,
        answer: str = "",
        cited: Sequence[Passage] = (),
        *,
        others: Sequence[Passage] = (),
        channel: str = "C0HELP",
        asker: str = "U1",
        thread: str = "",
        ending: Ending | None = None,
        searched: str = "",
        believed: Sequence[Passage] = (),
        at: float = 0.0,
    ) -> str:
        """Ask and answer one question, an hour after the one before or ``at`` an hour of its
        own; returns the answer's id.

        ``believed`` are passages that the bot itself judged relevant.
        """
        self.asked += 1
        ts = f"{self.asked}.0"
        asked = Asked(
            f"{channel}:{ts}", f"Ev{ts}", channel, thread or ts, asker, question,
            is_direct=channel.startswith("D"),
        )  # fmt: skip
        readers = f"slack_user:{asker}" if asked.is_direct else f"slack_channel:{channel}"
        answers = Answers(self.database)
        answers.ask(asked)
        self._date(asked.id, BEGINNING + timedelta(hours=at or self.asked))
        for passage in (*cited, *others):
            self.index(passage)
        return answers.save(
            Answer(
                question=Question(
                    asked.id, question, Audience.of("public", readers), asker, channel,
                    asked.thread,
                ),
                text=answer or "I could not find this.",
                ending=ending or (Ending.GENERATED if cited else Ending.NOT_FOUND),
                versions=Versions(prompt="1", model="m", embedder="e"),
                citations=tuple(Citation(n, one) for n, one in enumerate(cited, start=1)),
                passages=(*cited, *others),
                reflections=tuple(Reflection("relevant", one.chunk.id, 0.9) for one in believed),
                searched=searched,
            )
        )  # fmt: skip

    def index(self, passage: Passage) -> None:
        name = passage.chunk.document_id
        self.documents[name] = IndexedDocument(name, "handbook", name, passage.audience, 1)

    def vote(self, answer_id: str, thumb: Thumb, voter: str = "U1") -> None:
        assert Votes(self.database).cast(Vote(answer_id, voter, thumb))

    def correct(
        self,
        answer_id: str,
        text: str = "",
        *,
        author: str = "U1",
        reason: Reason | None = None,
        may_learn: bool = True,
        kind: CorrectionKind = CorrectionKind.CORRECTION,
    ) -> None:
        correction = Correction(answer_id, author, text, reason, may_learn, kind)
        assert Corrections(self.database).give(correction)

    def thanked(self, topic: str, question: str = "", **where: str) -> str:
        """An answer in the words of a page, with a thumb up."""
        asks = question or f"Can anybody tell me about {topic} please?"
        answer_id = self.answered(asks, f"{PAGES[topic]} [1]", [page(topic)], **where)  # type: ignore[arg-type]
        self.vote(answer_id, Thumb.UP)
        return answer_id

    def material(self, judge: LanguageModel | None = None) -> Material:
        judged = list(Feedback(self.database).judged())
        return Material(judged, self.documents, lambda question: [], judge)

    def _date(self, question_id: str, at: datetime) -> None:
        with self.database.session() as session:
            session.execute(
                update(QuestionRow).where(QuestionRow.id == question_id).values(asked_at=at)
            )
