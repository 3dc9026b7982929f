"""Links to messages, made from the workspace's address, which is asked for once."""

from __future__ import annotations

import logging
import threading

from slack_sdk import WebClient

from bot.domain.values import timestamp_of
from bot.records.statistics import AskedBefore
from bot.slack.connection.calls import SlackCallFailed, slack_call
from bot.slack.connection.clients import current_team
from bot.slack.rendering.mrkdwn import link, safe_line

_log = logging.getLogger(__name__)

_CHARACTERS = 120


class Permalinks:
    """Safe from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._addresses: dict[str, str] = {}

    def question(self, client: WebClient, asked: AskedBefore) -> str:
        """The question's words as a link to it, or to its answer where no message asked it; the
        words alone where neither can be linked.
        """
        text = " ".join(asked.text.split())[:_CHARACTERS]
        ts, base = timestamp_of(asked.id) or asked.ts, self._address(client)
        if not ts or not base:
            return safe_line(text)
        return link(f"{base}/archives/{asked.channel}/p{ts.replace('.', '')}", text)

    def _address(self, client: WebClient) -> str:
        """The workspace's own; "" where Slack does not say now."""
        team = current_team()
        with self._lock:
            known = self._addresses.get(team, "")
        if known:
            return known
        try:
            with slack_call("say where it is"):
                known = str(client.auth_test()["url"]).rstrip("/")
        except SlackCallFailed as error:
            _log.warning("%s", error)
            return ""
        with self._lock:
            self._addresses[team] = known
        return known
