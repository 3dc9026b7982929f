"""The weekly digest of unanswered questions, and `/lorebot digest` in between."""

from __future__ import annotations

import logging
from datetime import datetime

from slack_sdk import WebClient

from bot.domain.errors import SlackError
from bot.jobs.durable import Jobs
from bot.records.statistics import AskedBefore, Statistics
from bot.slack.admin.command import COMMAND, Call, UsageError
from bot.slack.admin.permalinks import Permalinks
from bot.slack.connection.calls import SlackCallFailed, slack_call, temporary
from bot.slack.connection.clients import current_team, serving
from bot.slack.rendering.blocks import context, header, section
from bot.slack.rendering.messages import SlackMessage, paragraph

_log = logging.getLogger(__name__)

_JOB = "digest"
_SHOWN, _IN_SECTION = 15, 5


class UnansweredQuestions:
    """Questions that nothing was found for; only those of public channels are quoted.

    What was asked in a direct message or a private channel is counted, never quoted: not
    even admins may read it.
    """

    def __init__(self, statistics: Statistics, permalinks: Permalinks) -> None:
        self._statistics = statistics
        self._permalinks = permalinks

    def message(self, client: WebClient, days: int = 7) -> SlackMessage:
        team = current_team()
        asked = [
            one for one in self._statistics.unanswered(days) if one.team in ("", team) or not team
        ]
        public: dict[str, bool] = {}
        shown: list[AskedBefore] = []
        for one in asked:
            if one.channel not in public:
                public[one.channel] = not one.is_direct and _is_public(client, one.channel)
            if public[one.channel] and not one.is_direct:
                shown.append(one)
        title = f"Unanswered questions in the last {days} days"
        if not asked:
            nothing = section("Nothing: every question found its answer.")
            return SlackMessage(title, tail=[header(title), nothing])
        rows = [f"•  {self._row(client, one)}" for one in shown[:_SHOWN]]
        pieces = [section("\n".join(part)) for part in _pieces(rows)]
        more = len(asked) - len(shown[:_SHOWN])
        note = [context(f"And {more} more, or asked where not everybody reads.")] if more else []
        return SlackMessage(f"{title}: {len(asked)}", tail=[header(title), *pieces, *note])

    def _row(self, client: WebClient, one: AskedBefore) -> str:
        question = self._permalinks.question(client, one)
        return f"{question}  —  <#{one.channel}>, {one.asked_at:%-d %b}"


class DigestCommand:
    usage = "digest [post]"

    def __init__(
        self,
        client: WebClient,
        unanswered: UnansweredQuestions,
        jobs: Jobs,
        *,
        channel: str,
        at: str,
        team: str = "",
    ) -> None:
        """Posts to ``channel`` of the workspace ``team`` at the times of the cron expression."""
        self._client = client
        self._unanswered = unanswered
        self._jobs = jobs
        self._channel = channel
        self._team = team
        jobs.schedule(_JOB, at, self._due)

    def run(self, call: Call) -> SlackMessage:
        match call.words:
            case ():
                return self._unanswered.message(call.client)
            case ("post",):
                if not self._channel:
                    raise SlackError("No channel is set for it: [slack] digest_channel.")
                with serving(self._team):
                    self._post()
                return paragraph(f"Posted to <#{self._channel}>.")
        raise UsageError(f"I know {COMMAND} {self.usage}")

    def _due(self, moment: str) -> None:
        """The scheduled job; without a channel there is nothing to do."""
        if self._channel:
            _log.info("The digest of %s is due.", datetime.fromisoformat(moment).date())
            with serving(self._team):
                self._jobs.step("post", self._post, temporary)

    def _post(self) -> None:
        message = self._unanswered.message(self._client)
        with slack_call("post the digest"):
            self._client.chat_postMessage(
                channel=self._channel, unfurl_links=False, unfurl_media=False, **message.arguments
            )


def _pieces(rows: list[str]) -> list[list[str]]:
    """As many rows as fit into one section, links and all."""
    return [rows[at : at + _IN_SECTION] for at in range(0, len(rows), _IN_SECTION)] or [
        ["None in public channels."]
    ]


def _is_public(client: WebClient, channel: str) -> bool:
    """Only what Slack calls public is; where it does not say, it is not."""
    try:
        with slack_call("describe a channel"):
            found = client.conversations_info(channel=channel)["channel"]
    except SlackCallFailed as error:
        _log.warning("%s", error)
        return False
    return bool(found.get("is_channel")) and not any(
        found.get(flag) for flag in ("is_private", "is_im", "is_mpim", "is_ext_shared")
    )
