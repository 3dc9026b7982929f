"""`/lorebot models`: which model answers, and changing it after a confirmation."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.models.registry import Registry
from bot.models.versions import ModelVersion
from bot.slack.admin.authority import Authority
from bot.slack.admin.command import COMMAND, Call, UsageError, channel_id, on_click
from bot.slack.admin.overview import Overview
from bot.slack.rendering.blocks import actions, button, section
from bot.slack.rendering.messages import SlackMessage, paragraph
from bot.slack.rendering.mrkdwn import safe_line
from bot.slack.replies.gate import Gate

_USE, _CANARY, _END, _ROLLBACK = "model_use", "model_canary", "model_end_canary", "model_rollback"
_SHARE = re.compile(r"(\d{1,3})%")
_SOON = "A running bot takes it over within seconds, after the answers it is writing."


class ModelsCommand:
    usage = "models (list | use NAME | canary NAME (10% | #CHANNEL) … | canary end | rollback)"

    def __init__(self, registry: Registry, overview: Overview, authority: Authority) -> None:
        self._registry = registry
        self._overview = overview
        self._authority = authority

    def listen(self, gate: Gate) -> None:
        for action_id, act in (
            (_USE, self._use),
            (_CANARY, self._canary),
            (_END, self._end_canary),
            (_ROLLBACK, self._rollback),
        ):
            name = action_id.replace("_", " ")
            on_click(gate, self._authority, action_id, name, act, replace=True)

    def run(self, call: Call) -> SlackMessage:
        match call.words:
            case () | ("list",):
                return self._list()
            case ("use", name):
                version = self._registry.version(name)
                return _asking(
                    f"Let *{safe_line(version.name)}* answer everybody?", _USE, version.name
                )
            case ("canary", "end"):
                return _asking("End the canary?", _END, "end")
            case ("canary", name, *reach) if reach:
                version = self._registry.version(name)
                value = " ".join((version.name, *_reach(reach)))
                return _asking(
                    f"Try *{safe_line(version.name)}* on {' '.join(reach)}?", _CANARY, value
                )
            case ("rollback",):
                return _asking("Undo the newest change of what answers?", _ROLLBACK, "rollback")
        raise UsageError(f"I know {COMMAND} {self.usage}")

    def _list(self) -> SlackMessage:
        rows = [_row(version) for version in self._registry.versions()]
        text = "\n".join(rows) or "There are none yet: `lorebot model pull` adds one."
        return SlackMessage(text, tail=[section(self._overview.serving()), section(text)])

    def _use(self, value: str, user: str) -> SlackMessage:
        version = self._registry.activate(value, user)
        return paragraph(f"*{safe_line(version.name)}* answers from now on. {_SOON}")

    def _canary(self, value: str, user: str) -> SlackMessage:
        name, *reach = value.split()
        share = next((int(word[:-1]) / 100 for word in reach if word.endswith("%")), 0.0)
        channels = tuple(word for word in reach if not word.endswith("%"))
        self._registry.canary(name, user, share=share, channels=channels)
        return paragraph(f"*{safe_line(name)}* is being tried. {_SOON}")

    def _end_canary(self, _value: str, user: str) -> SlackMessage:
        self._registry.end_canary(user)
        return paragraph(f"The canary has ended. {_SOON}")

    def _rollback(self, _value: str, user: str) -> SlackMessage:
        version = self._registry.rollback(user)
        now = f"*{safe_line(version.name)}* answers" if version else "No model answers: I quote"
        return paragraph(f"{now} from now on. {_SOON}")


def _asking(question: str, action: str, value: str) -> SlackMessage:
    press = button(
        "Yes, do it",
        action,
        value,
        style="primary",
        confirm="This changes what everybody is answered with.",
    )
    return SlackMessage(question, tail=[section(question), actions(press)])


def _reach(words: Sequence[str]) -> list[str]:
    """Shares and channels as the button keeps them. Raises UsageError."""
    found = []
    for word in words:
        if (share := _SHARE.fullmatch(word)) and 0 < int(share[1]) <= 100:
            found.append(word)
        elif channel := channel_id(word):
            found.append(channel)
        else:
            raise UsageError("A canary is tried on a share such as 10%, on channels, or both.")
    return found


def _row(version: ModelVersion) -> str:
    measured = ", ".join(f"{name} {value:.3g}" for name, value in version.evaluation.items())
    note = " — ".join(filter(None, (measured, version.note)))
    size = f"{version.size / 1e9:.1f} GB" if version.size > 1e8 else f"{version.size / 1e6:.1f} MB"
    row = f"•  `{safe_line(version.name)}`  {version.quantization}, {size}, "
    return f"{row}{version.added_at:%-d %b %Y}" + (f" — {safe_line(note)}" if note else "")
