"""What the bot says in Slack besides its answers, and in which language to whom."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bot.answering.languages import ENGLISH, language_named, language_of
from bot.domain.values import Answer, Asked
from bot.records.channels import Channels, People

_FILE = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True, slots=True)
class Phrases:
    """One language; see ``phrases.toml`` for what each is for."""

    status: str
    searching: str
    reading: str
    writing: str
    nearest: str
    quoted: str
    newest: str
    generated: str
    not_found: str
    too_long: str
    asked: str
    good: str
    bad: str
    good_label: str
    bad_label: str
    thanks: str
    vote_gone: str
    withdraw: str
    withdrawn: str
    tell_more: str
    feedback_title: str
    thanks_title: str
    feedback_reason: str
    wrong: str
    missing: str
    outdated: str
    incomplete: str
    not_for_me: str
    right_answer: str
    right_answer_hint: str
    consent: str
    send: str
    cancel: str
    close: str
    corrected: str
    learned: str
    ask_person: str
    calling: str
    called: str
    called_already: str
    no_owners: str
    reply_kept: str
    may_learn: str
    discard: str
    discarded: str
    share: str
    shared_by: str
    sharing: str
    about_title: str
    about_question: str
    about_hint: str
    ask: str
    ask_how: str
    muted: str
    unmuted: str
    guest: str
    shared_channel: str
    not_checked: str
    not_there: str
    unexpected: str
    failed: str
    gave_up: str
    reference: str
    file_unread: str
    file_kind: str
    file_size: str
    file_elsewhere: str
    file_unreachable: str
    file_late: str
    file_beginning: str


class Phrasebook:
    """Picks the language: the channel's, else the person's own, else that of the question."""

    def __init__(self, channels: Channels, people: People) -> None:
        self._channels = channels
        self._people = people

    def chosen_language(self, asked: Asked) -> str:
        """The ISO 639-1 code that an answer must be in, empty for that of the question."""
        channel = "" if asked.is_direct else self._channels.of(asked.channel).language
        return channel or self._people.language(asked.asker)

    def for_reply(self, asked: Asked) -> Phrases:
        """For the message that answers a question."""
        return phrases_for(asked.text, self.chosen_language(asked))

    def for_person(self, person: str, about: Answer | None = None) -> Phrases:
        """For what one person alone sees, ``about`` an answer."""
        return phrases_for(about.question.text if about else "", self._people.language(person))


def phrases_in(code: str = "") -> Phrases:
    """The phrases of a language by its ISO 639-1 code; English where there are none."""
    known = _by_code()
    return known.get(code) or known[ENGLISH.code]


def phrases_for(text: str, code: str = "") -> Phrases:
    """In the language chosen by ``code``, else in that of ``text``."""
    chosen = language_named(code)
    return phrases_in((chosen or language_of(text)).code)


@cache
def _by_code() -> dict[str, Phrases]:
    tables = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return {code: Phrases(**table) for code, table in tables.items()}
