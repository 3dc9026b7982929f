"""Mentions and direct messages: taken in at once, answered as durable jobs."""

from __future__ import annotations

import logging
from typing import Any

from slack_bolt import App
from slack_sdk import WebClient

from bot.answering.pipeline import Pipeline
from bot.domain import Asked, Question
from bot.errors import LorebotError
from bot.jobs import Jobs
from bot.records.answers import Answers
from bot.slack import blocks
from bot.slack.audience import Audiences
from bot.slack.calls import temporary
from bot.slack.mrkdwn import plain_question
from bot.slack.reply import Replies
from bot.slack.thread import earlier_turns
from indexer.errors import IndexerError

_log = logging.getLogger(__name__)

_JOB = "answer"
_UNEXPECTED = "Something went wrong on my side and I could not answer. Please ask again later."


class Questions:
    """From an event to the finished reply."""

    def __init__(
        self,
        client: WebClient,
        pipeline: Pipeline,
        answers: Answers,
        audiences: Audiences,
        replies: Replies,
        jobs: Jobs,
    ) -> None:
        self._client = client
        self._pipeline = pipeline
        self._answers = answers
        self._audiences = audiences
        self._replies = replies
        self._jobs = jobs
        jobs.register(_JOB, self._answer)

    def listen(self, app: App) -> None:
        """Listeners only keep the question and begin the job; Slack's receipt follows that."""

        @app.event("app_mention")
        def mentioned(event: dict[str, Any], body: dict[str, Any]) -> None:
            self._ask(event, body)

        @app.event("message")
        def written(event: dict[str, Any], body: dict[str, Any]) -> None:
            if _is_direct(event) and event.get("subtype") in (None, "file_share"):
                self._ask(event, body)

    def _ask(self, event: dict[str, Any], body: dict[str, Any]) -> None:
        if event.get("bot_id") or not event.get("user"):
            return  # two bots would talk to each other for ever
        asked = Asked(
            id=f"{event['channel']}:{event['ts']}",
            event_id=str(body.get("event_id", "")),
            channel=event["channel"],
            thread=event.get("thread_ts") or event["ts"],
            asker=event["user"],
            text=plain_question(event.get("text") or ""),
            is_direct=_is_direct(event),
            is_shared=body.get("is_ext_shared_channel"),
        )
        self._answers.ask(asked)
        self._jobs.start(_JOB, asked.id)

    def _answer(self, question_id: str) -> None:
        """The job. Each step may be repeated after a crash, and none is once it has finished."""
        asked = self._answers.asked(question_id)
        ts = self._jobs.step("reply", lambda: self._replies.begin(asked), temporary)
        answer_id, apology = self._jobs.step("write", lambda: self._write(asked, ts))
        self._jobs.step("post", lambda: self._post(asked, ts, answer_id, apology), temporary)

    def _write(self, asked: Asked, ts: str) -> tuple[str, str]:
        """The answer's id, or else the sentence to say instead: nobody is left in silence."""
        try:
            return self._answers.find(asked.id) or self._answered(asked, ts), ""
        except (LorebotError, IndexerError) as error:
            _log.warning("Question %s was not answered: %s", asked.id, error)
            return "", str(error)
        except Exception:  # noqa: BLE001 - a bug must not leave people with a placeholder
            _log.exception("Question %s failed.", asked.id)
            return "", _UNEXPECTED

    def _answered(self, asked: Asked, ts: str) -> str:
        """Answer for exactly those who will read it, and keep the answer."""
        question = Question(
            id=asked.id,
            text=asked.text,
            audience=self._audiences.readers(asked),
            asker=asked.asker,
            channel=asked.channel,
            thread=asked.thread,
            history=earlier_turns(self._client, asked),
        )
        answer = self._pipeline.answer(question, self._replies.drafts(asked, ts))
        return self._answers.save(answer)

    def _post(self, asked: Asked, ts: str, answer_id: str, apology: str) -> None:
        answer = self._answers.answer(answer_id) if answer_id else None
        if answer:
            rendered = blocks.answered(answer_id, answer)
        else:
            rendered = blocks.apology(apology or _UNEXPECTED, asked.thread)
        self._replies.complete(asked, ts, rendered)


def _is_direct(event: dict[str, Any]) -> bool:
    """Channel types are told of messages only; ids of direct messages begin with D."""
    return event.get("channel_type") == "im" or str(event["channel"]).startswith("D")
