"""A growing answer as sanitized pieces, which never add up to a ping or a link."""

from __future__ import annotations

import re

from bot.slack.rendering.mrkdwn import is_inside_code, safe_markdown

# An address or a fence may go on where a text breaks off; a citation's mark does not.
_WHOLE_WORDS = re.compile(r".*(?:\s|\[\d{1,2}\](?=$))", re.DOTALL)


class Deltas:
    """What was sent is at every moment the sanitised form of some beginning of the answer.

    Of a text only whole words are sent. One whose sanitised form does not continue what was sent,
    or that ends within code, is held back: a later one may continue it, and the end replaces it
    otherwise.
    """

    def __init__(self, limit: int) -> None:
        self.sent = ""
        self._limit = limit

    def next(self, text: str) -> str:
        """What to send so that ``text``, the whole answer so far, is shown; "" to wait."""
        whole = _WHOLE_WORDS.match(text)
        safe = safe_markdown(whole[0].rstrip() if whole else "")
        if len(safe) > self._limit or is_inside_code(safe) or not safe.startswith(self.sent):
            return ""
        return safe[len(self.sent) :]

    def keep(self, delta: str) -> None:
        """Slack has taken it."""
        self.sent += delta

    def rest(self, body: str) -> str | None:
        """What completes a sanitised ``body``; None where it does not continue what was sent."""
        return body[len(self.sent) :] if body.startswith(self.sent) else None
