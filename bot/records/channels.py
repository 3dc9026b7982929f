"""Settings per channel, and the language that each person chose."""

from __future__ import annotations

from dataclasses import dataclass

from bot.records.database import Database
from bot.records.tables import ChannelRow, PersonRow


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """One channel's settings; the defaults are those of a channel without settings of its own.

    ``auto_answer`` answers every question without a mention. ``owners`` are the ids of the people
    whom "ask a person" pings. ``language`` is an ISO 639-1 code; empty means the asker's own.
    ``persona`` is the tone that a language model answers in. ``sources`` are the names of those
    that are searched; empty means all.
    """

    channel: str
    auto_answer: bool = False
    owners: tuple[str, ...] = ()
    language: str = ""
    persona: str = ""
    sources: tuple[str, ...] = ()


class Channels:
    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, channel: str) -> ChannelSettings:
        """A channel's settings, by its id; the defaults where there are none."""
        with self._database.reading() as session:
            row = session.get(ChannelRow, channel)
            if row is None:
                return ChannelSettings(channel)
            return ChannelSettings(
                channel=row.channel,
                auto_answer=row.auto_answer,
                owners=tuple(row.owners),
                language=row.language,
                persona=row.persona,
                sources=tuple(row.sources),
            )

    def save(self, settings: ChannelSettings) -> None:
        """Keep a channel's settings whole, in place of the earlier ones."""
        with self._database.session() as session:
            session.merge(
                ChannelRow(
                    channel=settings.channel,
                    auto_answer=settings.auto_answer,
                    owners=list(settings.owners),
                    language=settings.language,
                    persona=settings.persona,
                    sources=list(settings.sources),
                )
            )


class People:
    """What people have chosen for themselves."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def language(self, person: str) -> str:
        """An ISO 639-1 code, or "" for the language of each question."""
        with self._database.reading() as session:
            row = session.get(PersonRow, person)
            return row.language if row else ""

    def choose_language(self, person: str, language: str) -> None:
        with self._database.session() as session:
            session.merge(PersonRow(person=person, language=language))

    def forget(self, person: str) -> None:
        with self._database.session() as session:
            row = session.get(PersonRow, person)
            if row is not None:
                session.delete(row)
