"""A queue per thread: its questions are answered one at a time, in the order they were asked."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from bot.domain.values import Asked
from bot.jobs.durable import Jobs, State
from bot.records.turns import Turns
from bot.slack.connection.clients import current_team, serving

_log = logging.getLogger(__name__)

_THREADS = 2
_SECONDS_FOR_EARLIER_ONES = 0.3
_SECONDS_UNTIL_ANOTHER_TRY = 5.0


class ThreadQueue:
    """Starts the jobs that answer, in threads of its own: no receipt of an event waits for it.

    Guaranteed: of the stored questions of one Slack thread, the next begins only when the one
    before has ended, in whatever way, also over crashes and several replicas. No thread of this
    process waits meanwhile. Not guaranteed: a question that Slack delivers after a later one has
    begun comes after it. To make that rare, a question that is not the first of its thread begins
    a moment later: what Slack delivers at the same time, as after a reconnect, is all there by
    then.
    """

    def __init__(
        self,
        turns: Turns,
        jobs: Jobs,
        job: str,
        queue_of: Callable[[str], str] = lambda question_id: "",
    ) -> None:
        """``queue_of`` names the queue of the jobs that a question's job stands in, "" for none."""
        self._queue_of = queue_of
        self._turns = turns
        self._jobs = jobs
        self._job = job
        self._pool = ThreadPoolExecutor(_THREADS, "turns")
        jobs.at_launch(self._resume)

    def enter(self, asked: Asked) -> None:
        """A question is stored; it begins when its turn comes. Idempotent."""
        is_first = asked.thread in ("", asked.ts)
        self._begin(asked.id, current_team(), 0 if is_first else _SECONDS_FOR_EARLIER_ONES)

    def leave(self, question_id: str) -> None:
        """A question's job has ended, with an answer or without; not for one that resumes later."""
        if self._turns.end(question_id):
            self._begin(question_id, current_team())
        else:  # forgotten, and with it which question came next
            self._resume()

    def _resume(self) -> None:
        """Begin what was stored before a crash and has not begun, or not ended.

        Only in queues without a running job: thousands may wait in the others, and this runs often.
        """
        under_way = set(self._jobs.unfinished(self._job, ""))
        waiting = self._turns.unfinished()
        active = {one.line for one in waiting if one.question_id in under_way}
        for one in waiting:
            if one.line not in active:
                active.add(one.line)
                self._begin(one.question_id, one.team)

    def _begin(self, question_id: str, team: str, after: float = 0.0) -> None:
        if self._jobs.is_closed:
            return  # the next start goes on
        if not after:
            self._pool.submit(self._begin_turn, question_id, team)
            return
        timer = threading.Timer(after, self._begin, (question_id, team))
        timer.daemon = True
        timer.start()

    def _begin_turn(self, question_id: str, team: str) -> None:
        """Begin the question whose turn it is in the same queue; skip one whose job is over."""
        try:
            with serving(team):
                while turn := self._turns.begin(question_id):
                    state = self._jobs.state(self._job, turn)
                    if state is None:
                        self._jobs.start(self._job, turn, self._queue_of(turn))
                    if state not in (State.DONE, State.FAILED):
                        return
                    self._turns.end(turn)
        except Exception:  # noqa: BLE001 - whatever it was, the question must not be lost
            if not self._jobs.is_closed:
                _log.exception("Question %s could not begin; it is tried again.", question_id)
                self._begin(question_id, team, _SECONDS_UNTIL_ANOTHER_TRY)
