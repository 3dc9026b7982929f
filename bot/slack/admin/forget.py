"""`/lorebot forget`: what a person said, or what rested on a document, leaves the records."""

from __future__ import annotations

from bot.records.channels import People
from bot.records.forgetting import Forgetting
from bot.slack.admin.authority import Authority
from bot.slack.admin.command import COMMAND, Call, UsageError, on_click, person_id
from bot.slack.rendering.blocks import actions, button, section
from bot.slack.rendering.messages import SlackMessage, paragraph
from bot.slack.rendering.mrkdwn import safe_line
from bot.slack.replies.gate import Gate

_PERSON, _DOCUMENT = "forget_person", "forget_document"
_FOR_GOOD = "This cannot be undone."


class ForgetCommand:
    usage = "forget (person @NAME | document ID)"

    def __init__(self, forgetting: Forgetting, people: People, authority: Authority) -> None:
        self._forgetting = forgetting
        self._people = people
        self._authority = authority

    def listen(self, gate: Gate) -> None:
        on_click(gate, self._authority, _PERSON, "forget person", self._person, replace=True)
        on_click(gate, self._authority, _DOCUMENT, "forget document", self._document, replace=True)

    def run(self, call: Call) -> SlackMessage:
        match call.words:
            case ("person", name) if person := person_id(name):
                question = f"Forget all that <@{person}> has asked, voted and corrected?"
                return _asking(question, _PERSON, person)
            case ("document", *parts) if parts:
                document = " ".join(parts)
                question = f"Delete every answer that was shown text of `{safe_line(document)}`?"
                return _asking(question, _DOCUMENT, document)
        raise UsageError(f"Say whom or what: {COMMAND} {self.usage}")

    def _person(self, value: str, _user: str) -> SlackMessage:
        return paragraph(f"Forgotten: {forget_person(value, self._forgetting, self._people)}.")

    def _document(self, value: str, _user: str) -> SlackMessage:
        gone = self._forgetting.document(value)
        return paragraph(
            f"{_counted(gone, 'answer')} deleted; no model learns from them. The document itself "
            "stays in the index as long as its source has it: delete it there, and the next "
            "reindex takes it away."
        )


def forget_person(person: str, forgetting: Forgetting, people: People) -> str:
    """What went, in words."""
    questions = forgetting.person(person)
    people.forget(person)
    return f"{_counted(questions, 'question')} with answers, all votes, corrections and settings"


def _asking(question: str, action: str, value: str) -> SlackMessage:
    press = button("Forget", action, value, style="danger", confirm=_FOR_GOOD)
    return SlackMessage(question, tail=[section(f"{question} {_FOR_GOOD}"), actions(press)])


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
