"""Which language is spoken to whom: the channel's, else the person's own, else the question's."""

from __future__ import annotations

from bot.domain.values import Asked, Question
from bot.records.channels import Channels, People
from bot.slack.rendering.phrases import Phrases, phrases_for


class Spoken:
    def __init__(self, channels: Channels, people: People) -> None:
        self._channels = channels
        self._people = people

    def chosen(self, asked: Asked) -> str:
        """The ISO 639-1 code that an answer must be in, empty for that of the question."""
        channel = "" if asked.is_direct else self._channels.of(asked.channel).language
        return channel or self._people.language(asked.asker)

    def to(self, asked: Asked) -> Phrases:
        """For the message that answers."""
        return phrases_for(asked.text, self.chosen(asked))

    def to_person(self, person: str, question: Question | None = None) -> Phrases:
        """For what one person alone sees, about a question."""
        return phrases_for(question.text if question else "", self._people.language(person))
