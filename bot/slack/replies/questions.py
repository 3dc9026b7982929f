"""The path of one question: stored, queued behind its thread, answered and posted by a durable job.

Question → ``take`` → ThreadQueue → ``_job``: load the question, begin a reply (step "reply"), write
the answer for its audience (step "write"), post it (step "post").
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from typing import Protocol

from slack_sdk import WebClient
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential

from bot.answering.pipeline import Pipeline
from bot.domain.errors import Cancelled, LorebotError, QuestionForgotten
from bot.domain.values import Asked, Ending, Occasion, Question, Stage
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
from bot.slack.replies.thread_queue import ThreadQueue
from bot.telemetry import counters as counted
from bot.telemetry.spans import answering, receiving
from indexer.documents import Audience, Passage
from indexer.errors import IndexerError

_log = logging.getLogger(__name__)

_JOB = "answer"
_WITH_FILES, _WITH_FILES_AT_ONCE = "answer with files", 2
"""Others need not wait behind however many of these."""
_WRITE_ATTEMPTS, _POST_ATTEMPTS = 5, 10


class AnyReply(Protocol):
    """Where an answer appears: Reply or EphemeralReply. ``ts`` is its message, "" for none yet."""

    ts: str

    def begin(self) -> str: ...

    def progress(self, stage: Stage, passages: Sequence[Passage]) -> None: ...

    def show(self, text: str) -> None: ...

    def complete(self, rendered: SlackMessage) -> None: ...


@dataclass(frozen=True, slots=True)
class _Work:
    """A question while it is answered."""

    asked: Asked
    phrases: Phrases
    reply: AnyReply
    cancellation: Cancellation


class Questions:
    """Takes questions, and answers each exactly once, over crashes and redeliveries."""

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
        self._queue = ThreadQueue(turns, jobs, _JOB, self._queue_of)
        jobs.add_queue(_WITH_FILES, _WITH_FILES_AT_ONCE)
        jobs.register(_JOB, self._job, give_up=self._give_up, recover_alone=True)

    def take(self, asked: Asked) -> None:
        """Store a question and queue it; a known one is not asked again.

        Raises RecordsError: Slack then gets no receipt, and sends the question again.
        """
        with receiving(asked.id):
            is_new = self._answers.ask(asked)
            if is_new:
                counted.QUESTIONS.labels(asked.occasion).inc()
            if is_new and asked.occasion is not Occasion.OVERHEARD:
                self._status.show(asked)
            self._queue.enter(asked)

    def _queue_of(self, question_id: str) -> str:
        with suppress(QuestionForgotten):
            if any(not file.refusal for file in self._answers.asked(question_id).files):
                return _WITH_FILES
        return ""

    def _job(self, question_id: str) -> None:
        """Answers a question whose turn has come.

        A step may be repeated after a crash, but not once it has finished: its result is kept.
        """
        with (
            self._jobs.at_end(lambda: self._queue.leave(question_id)),
            answering(question_id),
        ):
            asked, phrases = self._load(question_id)
            with self._running.answering(asked) as cancellation:
                reply = self._reply(asked, phrases, cancellation)
                work = _Work(asked, phrases, reply, cancellation)
                try:
                    self._begin_reply(work)
                    answer_id, apology = self._write(work)
                    self._post(work, answer_id, apology)
                except SlackCallFailed as error:
                    self._tell_asker(work, error)
                finally:
                    self._status.clear(asked)

    def _give_up(self, question_id: str) -> None:
        """In place of answering a question that two processes died of: say so, where it stands."""
        with (
            self._jobs.at_end(lambda: self._queue.leave(question_id)),
            answering(question_id),
        ):
            _log.error("Question %s is given up: two processes died of it.", question_id)
            asked, phrases = self._load(question_id)
            cancellation = Cancellation()
            work = _Work(asked, phrases, self._reply(asked, phrases, cancellation), cancellation)
            try:
                self._begin_reply(work)
                self._post(work, "", phrases.gave_up)
            except SlackCallFailed as error:
                self._tell_asker(work, error)
            finally:
                self._status.clear(asked)

    def _load(self, question_id: str) -> tuple[Asked, Phrases]:
        """Not a step, which would keep the text of the question; but retried like one."""
        retrying = Retrying(
            retry=retry_if_exception(temporary),
            wait=wait_exponential(),
            stop=stop_after_attempt(_POST_ATTEMPTS),
            reraise=True,
        )
        asked = retrying(self._answers.asked, question_id)
        return asked, retrying(self._phrasebook.for_reply, asked)

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

    def _begin_reply(self, work: _Work) -> None:
        with counted.stage("reply"):
            work.reply.ts = self._jobs.step(
                "reply", work.reply.begin, temporary, attempts=_POST_ATTEMPTS
            )
        if work.reply.ts:
            counted.note_first_sign(work.asked, "message")

    def _write(self, work: _Work) -> tuple[str, str]:
        """The answer's id, or "" and the sentence to say instead: every question gets a reply."""
        attempts = count(1)
        return self._jobs.step(
            "write",
            lambda: self._try_to_answer(work, is_last=next(attempts) >= _WRITE_ATTEMPTS),
            temporary,
            attempts=_WRITE_ATTEMPTS,
        )

    def _try_to_answer(self, work: _Work, *, is_last: bool) -> tuple[str, str]:
        """As ``_write``; what is temporary is raised, to be tried again, but for the last time."""
        asked, phrases = work.asked, work.phrases
        try:
            return self._answers.find(asked.id) or self._answer(work), ""
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

    def _answer(self, work: _Work) -> str:
        """Answer for exactly the people who will read it, and store the answer; its id."""
        asked = work.asked
        try:
            question = work.cancellation.unless_stopped(lambda: self._question(asked))
            documents, files = self._attachments.read(
                asked.files, question.audience, work.cancellation
            )
        except Cancelled:
            answer = self._pipeline.stopped(self._bare(asked))
        else:
            if files != asked.files:
                self._answers.note_files(asked.id, files)
            answer = self._pipeline.answer(
                question,
                work.reply.show,
                work.cancellation,
                progress=work.reply.progress,
                attachments=documents,
            )
        answer_id = self._answers.save(answer)
        counted.note_answer(answer, answer_id)
        return answer_id

    def _question(self, asked: Asked) -> Question:
        """With what Slack has to be asked for: who will read the answer, what was said before."""
        channel = self._channels.of(asked.channel)
        return replace(
            self._bare(asked),
            audience=self._audiences.readers(asked),
            history=earlier_turns(self._client, asked),
            persona=channel.persona,
            sources=channel.sources,
        )

    def _bare(self, asked: Asked) -> Question:
        """For the asker alone."""
        return Question(
            id=asked.id,
            text=asked.text,
            audience=Audience.of(f"slack_user:{asked.asker}"),
            asker=asked.asker,
            channel=asked.channel,
            thread=asked.thread,
            language=self._phrasebook.chosen_language(asked),
        )

    def _post(self, work: _Work, answer_id: str, apology: str) -> None:
        with counted.stage("post"):
            self._jobs.step(
                "post",
                lambda: self._complete_reply(work, answer_id, apology),
                temporary,
                attempts=_POST_ATTEMPTS,
            )

    def _complete_reply(self, work: _Work, answer_id: str, apology: str) -> None:
        asked, phrases = work.asked, work.phrases
        with suppress(QuestionForgotten):
            asked = self._answers.asked(asked.id)  # again: files may have been refused meanwhile
        answer = self._answers.answer(answer_id) if answer_id else None
        if asked.occasion is Occasion.OVERHEARD and (
            answer is None or answer.ending not in (Ending.GENERATED, Ending.QUOTED)
        ):
            return  # the bot was not asked: without an answer it keeps quiet
        if answer:
            rendered = messages.answered(answer_id, answer, asked, phrases)
        else:
            rendered = messages.apology(apology or phrases.unexpected, asked.id, phrases)
        work.reply.complete(rendered)
        counted.note_ending(asked, answer.ending if answer else counted.FAILED)

    def _tell_asker(self, work: _Work, error: SlackCallFailed) -> None:
        """In a direct message, where the bot may not write in a channel."""
        asked = work.asked
        _log.warning("Question %s has no reply: %s", asked.id, error)
        counted.note_ending(asked, counted.FAILED)
        told = messages.note(work.phrases.not_there)

        def post() -> None:
            if asked.occasion is not Occasion.OVERHEARD:
                post_directly(self._client, asked.asker, told)

        self._jobs.step("tell", post, temporary, attempts=_POST_ATTEMPTS)
