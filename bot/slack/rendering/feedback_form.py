"""The form behind a 👎: what was wrong, the right answer, and whether it may be learned from."""

from __future__ import annotations

from typing import Any

from bot.domain.values import Correction, Reason
from bot.slack.rendering.blocks import Block, filled_in, input_block, modal, option
from bot.slack.rendering.phrases import Phrases

FEEDBACK_FORM = "feedback_form"
_REASON, _TEXT, _CONSENT = "reason", "text", "consent"
_MAY_LEARN = "may_learn"
_TEXT_CHARACTERS = 3_000


def feedback_form(answer_id: str, phrases: Phrases) -> Block:
    """The view; the answer's id comes back with it."""
    reasons = {
        Reason.WRONG: phrases.wrong,
        Reason.NOT_FOUND: phrases.missing,
        Reason.OUTDATED: phrases.outdated,
        Reason.INCOMPLETE: phrases.incomplete,
        Reason.NOT_FOR_ME: phrases.not_for_me,
    }
    options = [option(label, reason) for reason, label in reasons.items()]
    which: Block = {"type": "radio_buttons", "action_id": _REASON, "options": options}
    text: Block = {
        "type": "plain_text_input",
        "action_id": _TEXT,
        "multiline": True,
        "max_length": _TEXT_CHARACTERS,
    }
    consent: Block = {
        "type": "checkboxes",
        "action_id": _CONSENT,
        "options": [option(phrases.may_learn, _MAY_LEARN)],
    }
    return modal(
        phrases.feedback_title,
        [
            input_block(phrases.feedback_reason, which, optional=True),
            input_block(phrases.right_answer, text, hint=phrases.right_answer_hint, optional=True),
            input_block(phrases.consent, consent, optional=True),
        ],
        callback_id=FEEDBACK_FORM,
        metadata=answer_id,
        submit=phrases.send,
        close=phrases.cancel,
    )


def given_correction(view: dict[str, Any], author: str) -> Correction | None:
    """What a person filled in; None where all of it was left empty."""
    values = filled_in(view)
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
