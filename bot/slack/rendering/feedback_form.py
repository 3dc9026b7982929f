"""The form behind a 👎: what was wrong, the right answer, and whether it may be learned from."""

from __future__ import annotations

from typing import Any

from bot.domain.values import Correction, Reason
from bot.slack.rendering.phrases import Phrases

FEEDBACK_FORM = "feedback_form"
_REASON, _TEXT, _CONSENT = "reason", "text", "consent"
_MAY_LEARN = "may_learn"
_TEXT_CHARACTERS = 3_000


def feedback_form(answer_id: str, spoken: Phrases) -> dict[str, Any]:
    """The view; the answer's id comes back with it."""
    reasons = {
        Reason.WRONG: spoken.wrong,
        Reason.NOT_FOUND: spoken.missing,
        Reason.OUTDATED: spoken.outdated,
        Reason.INCOMPLETE: spoken.incomplete,
        Reason.NOT_FOR_ME: spoken.not_for_me,
    }
    reason = {"type": "radio_buttons", "options": [_option(*one) for one in reasons.items()]}
    text = {"type": "plain_text_input", "multiline": True, "max_length": _TEXT_CHARACTERS}
    consent = {"type": "checkboxes", "options": [_option(_MAY_LEARN, spoken.may_learn)]}
    return {
        "type": "modal",
        "callback_id": FEEDBACK_FORM,
        "private_metadata": answer_id,
        "title": plain(spoken.feedback_title),
        "submit": plain(spoken.send),
        "close": plain(spoken.cancel),
        "blocks": [
            _input(_REASON, spoken.feedback_reason, reason),
            _input(_TEXT, spoken.right_answer, text, spoken.right_answer_hint),
            _input(_CONSENT, spoken.consent, consent),
        ],
    }


def given_correction(view: dict[str, Any], author: str) -> Correction | None:
    """What somebody has filled in; None where they left all of it empty."""
    values = {name: value[name] for name, value in view["state"]["values"].items()}
    chosen = (values[_REASON].get("selected_option") or {}).get("value")
    text = str(values[_TEXT].get("value") or "").strip()
    if not chosen and not text:
        return None
    return Correction(
        answer_id=view["private_metadata"],
        author=author,
        text=text,
        reason=Reason(chosen) if chosen else None,
        may_learn=bool(values[_CONSENT].get("selected_options")),
    )


def plain(text: str) -> dict[str, str]:
    return {"type": "plain_text", "text": text}


def _input(name: str, label: str, element: dict[str, Any], hint: str = "") -> dict[str, Any]:
    return {
        "type": "input",
        "block_id": name,
        "optional": True,
        "label": plain(label),
        "element": element | {"action_id": name},
        **({"hint": plain(hint)} if hint else {}),
    }


def _option(value: str, label: str) -> dict[str, Any]:
    return {"text": plain(label), "value": str(value)}
