"""From a kept question to its finished reply, as a durable job."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Protocol

from slack_sdk import WebClient
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential

from bot.answering.pipeline import Pipeline, Progress, Show
from bot.domain.errors import LorebotError, QuestionForgotten
from bot.domain.values import Asked, Ending, Occasion, Question
from bot.jobs.durable import Jobs
from bot.records.answers import Answers
from bot.records.channels import Channels
from bot.records.turns import Turns
from bot.serving.model import Cancellation
from bot.slack.connection.calls import SlackCallFailed, temporary
from bot.slack.connection.rate_limits import RateLimits
from bot.slack.rendering import messages
from bot.slack.rendering.messages import SlackMessage
from bot.slack.rendering.phrases import Phrasebook, Phrases
from bot.slack.replies.attachments import Attachments
from bot.slack.replies.audience import Audiences, Refused
from bot.slack.replies.ephemeral import EphemeralReply, post_directly
from bot.slack.replies.reply import Reply
from bot.slack.replies.running import RunningAnswers
from bot.slack.replies.status import StatusLines
from bot.slack.replies.thread import earlier_turns
from bot.slack.replies.turns import ThreadQueue
from bot.telemetry import counters as counted
from bot.telemetry.spans import answering, receiving
from indexer.errors import IndexerError

_log = logging.getLogger(__name__)

_JOB = "answer"
_WRITE_ATTEMPTS, _POST_ATTEMPTS = 5, 10


class AnyReply(Protocol):
    """Where an answer appears. ``ts`` is its message, empty where there is none yet."""

    ts: str

    def begin(self) -> str: ...

    @property
    def progress(self) -> Progress: ...

    @property
    def show(self) -> Show: ...

    def complete(self, rendered: SlackMessage) -> None: ...


class Questions:
    """Takes questions in, and answers each once, whatever happens meanwhile."""

    def __init__(
        self,
        client: WebClient,
        pipeline: Pipeline,
        answers: Answers,
        channels: Channels,
        audiences: Audiences,
        attachments: Attachments,
        phrasebook: Phrasebook,
        running: RunningAnswers,
        turns: Turns,
        jobs: Jobs,
    ) -> None:
        self._client = client
        self._pipeline = pipeline
        self._answers = answers
        self._channels = channels
        self._audiences = audiences
        self._attachments = attachments
        self._phrasebook = phrasebook
        self._running = running
        self._jobs = jobs
        self._limits = RateLimits()
        self._status = StatusLines(client, phrasebook)
        self._turnstile = ThreadQueue(turns, jobs, _JOB)
        jobs.register(_JOB, self._in_turn)

    def take(self, asked: Asked) -> None:
        """Keep a question, to be answered in its turn; one that is known already is left alone."""
        with receiving(asked.id):
            is_new = self._answers.ask(asked)
            if is_new:
                counted.QUESTIONS.labels(asked.occasion).inc()
            if is_new and asked.occasion is not Occasion.OVERHEARD:
                self._status.show(asked)
            self._turnstile.enter(asked)

    def _in_turn(self, question_id: str) -> None:
        """The job."""
        with (
            self._jobs.at_end(lambda: self._turnstile.leave(question_id)),
            answering(question_id),
        ):
            self._answer(question_id)

    def _answer(self, question_id: str) -> None:
        """Each step may be repeated after a crash, and none is once it has finished."""
        asked, phrases = self._looked_up(question_id)
        with self._running.answering(asked) as cancellation:
            reply = self._reply(asked, phrases, cancellation)
            try:
                with counted.stage("reply"):
                    reply.ts = self._jobs.step(
                        "reply", reply.begin, temporary, attempts=_POST_ATTEMPTS
                    )
                if reply.ts:
                    counted.note_first_sign(asked, "message")
                left = iter(range(_WRITE_ATTEMPTS - 1, -1, -1))
                answer_id, apology = self._jobs.step(
                    "write",
                    lambda: self._write(asked, phrases, reply, cancellation, not next(left)),
                    temporary,
                    attempts=_WRITE_ATTEMPTS,
                )
                with counted.stage("post"):
                    self._jobs.step(
                        "post",
                        lambda: self._post(asked, phrases, reply, answer_id, apology),
                        temporary,
                        attempts=_POST_ATTEMPTS,
                    )
            except SlackCallFailed as error:
                _log.warning("Question %s has no reply: %s", asked.id, error)
                counted.note_ending(asked, counted.FAILED)
                self._jobs.step(
                    "tell", lambda: self._tell(asked, phrases), temporary, attempts=_POST_ATTEMPTS
                )
            finally:
                self._status.clear(asked)

    def _looked_up(self, question_id: str) -> tuple[Asked, Phrases]:
        """In no step, which would keep the text of the question; so tried again like one."""
        patiently = Retrying(
            retry=retry_if_exception(temporary),
            wait=wait_exponential(),
            stop=stop_after_attempt(_POST_ATTEMPTS),
            reraise=True,
        )
        asked = patiently(self._answers.asked, question_id)
        return asked, patiently(self._phrasebook.for_reply, asked)

    def _reply(self, asked: Asked, phrases: Phrases, cancellation: Cancellation) -> AnyReply:
        if asked.occasion is Occasion.COMMAND:
            return EphemeralReply(self._client, asked)
        return Reply(
            self._client,
            self._answers,
            self._status,
            self._limits,
            asked,
            phrases,
            on_stop=cancellation.cancel,
        )

    def _write(
        self,
        asked: Asked,
        phrases: Phrases,
        reply: AnyReply,
        cancellation: Cancellation,
        is_last: bool,
    ) -> tuple[str, str]:
        """The answer's id, or else the sentence to say instead: nobody is left in silence.

        What may pass is raised, to be tried again, unless this is the last attempt.
        """
        try:
            return self._answers.find(asked.id) or self._answered(asked, reply, cancellation), ""
        except Refused as refusal:
            return "", getattr(phrases, refusal.phrase)
        except (LorebotError, IndexerError) as error:
            if temporary(error) and not is_last:
                raise
            _log.warning("Question %s was not answered: %s", asked.id, error)
            return "", phrases.failed
        except Exception:  # noqa: BLE001 - a bug must not leave people with a placeholder
            _log.exception("Question %s failed.", asked.id)
            return "", phrases.unexpected

    def _answered(self, asked: Asked, reply: AnyReply, cancellation: Cancellation) -> str:
        """Answer for exactly those who will read it, and keep the answer."""
        channel = self._channels.of(asked.channel)
        question = Question(
            id=asked.id,
            text=asked.text,
            audience=self._audiences.readers(asked),
            asker=asked.asker,
            channel=asked.channel,
            thread=asked.thread,
            history=earlier_turns(self._client, asked),
            language=self._phrasebook.chosen_language(asked),
            persona=channel.persona,
            sources=channel.sources,
        )
        documents, files = self._attachments.read(asked.files, question.audience)
        if files != asked.files:
            self._answers.note_files(asked.id, files)
        answer = self._pipeline.answer(
            question,
            reply.show,
            cancellation,
            progress=reply.progress,
            attachments=documents,
        )
        answer_id = self._answers.save(answer)
        counted.note_answer(answer, answer_id)
        return answer_id

    def _post(
        self, asked: Asked, phrases: Phrases, reply: AnyReply, answer_id: str, apology: str
    ) -> None:
        with suppress(QuestionForgotten):
            asked = self._answers.asked(asked.id)  # again: files may have been refused meanwhile
        answer = self._answers.answer(answer_id) if answer_id else None
        if asked.occasion is Occasion.OVERHEARD and (
            answer is None or answer.ending not in (Ending.GENERATED, Ending.QUOTED)
        ):
            return  # nobody has asked the bot, so nobody misses it
        if answer:
            rendered = messages.answered(answer_id, answer, asked, phrases)
        else:
            rendered = messages.apology(apology or phrases.unexpected, asked.id, phrases)
        reply.complete(rendered)
        counted.note_ending(asked, answer.ending if answer else counted.FAILED)

    def _tell(self, asked: Asked, phrases: Phrases) -> None:
        """Where the bot may not write in a channel, the asker alone is told."""
        if asked.occasion is Occasion.OVERHEARD:
            return
        post_directly(self._client, asked.asker, messages.note(phrases.not_there))
