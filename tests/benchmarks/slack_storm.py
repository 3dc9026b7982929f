"""A storm: many people ask at once while Slack repeats, refuses and stalls, and the bot is killed.

Run with ``make bench NAME=slack_storm``, or ``python -m tests.benchmarks.slack_storm --questions 60
--per-minute 240``. Fifty people ask 1,000 questions in twenty channels, every third in a thread
where somebody has asked before. Three in ten events come twice, one Web API call in ten fails (429
with Retry-After, 500, cut off, carried out but unanswered, silent for longer than the bot waits),
and three times the process is killed with SIGKILL. The last line is one JSON object; ``stuck`` and
``out_of_order`` must be 0, ``answered_once`` must be ``questions``.

Slack's own limits hold: a post a second and channel, 20 streams, 50 updates and 50 looks into
threads a minute, 100 status lines. They, and not the bot, say how much can be answered, so people
ask at a pace that an app may answer under them.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from bot.workspace import Workspace
from bot.workspace.web_api.faults import ANSWER_LOST, CUT, RATE_LIMITED, SERVER_ERROR, Fault
from tests.benchmarks.slack_storm_findings import (
    Asked,
    is_unfinished,
    look,
    out_of_order,
    percentile,
    read_calls,
    status_lines,
)
from tests.benchmarks.slack_storm_process import BOT, BotProcess, large_workspace

QUESTIONS = Path(__file__).parents[1] / "data" / "handbook_questions.json"
STALLED = Fault("stalled", 0, delay=16.0)  # the bot waits for 15
TWICE, FAILING, FOLLOWING_UP, AT_ONCE = 0.3, 0.1, 0.35, 0.3
NEWEST_THREADS = 40
KILLS = 3
TIDYING_SECONDS = 10.0  # a line that stands longer than that is stuck; Slack's own end is at 120


class Storm:
    """What people do, in a workspace that runs."""

    def __init__(
        self, workspace: Workspace, bot: BotProcess, *, people: int, channels: int
    ) -> None:
        self._workspace = workspace
        self._bot = bot
        self._people = people
        self._channels = channels
        self._chance = random.Random(41)
        self._texts = [case["question"] for case in json.loads(QUESTIONS.read_text())]
        self.asked: list[Asked] = []

    def blow(self, questions: int, per_minute: float) -> None:
        """Ask them all, evenly, and kill the bot in the middle of it."""
        kills = {questions * (number + 1) // (KILLS + 1) for number in range(KILLS)}
        began = time.monotonic()
        while (number := len(self.asked)) < questions:
            time.sleep(max(0.0, began + number * 60 / per_minute - time.monotonic()))
            self._ask()
            if number in kills:
                self._bot.kill()
            self._bot.keep_alive()

    def wait(self, seconds: float) -> None:
        """Until everything that was asked is answered, and a little for what is taken away then."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._bot.keep_alive()
            look(self._workspace, self.asked)
            open_ones = [one for one in self.asked if not one.replies]
            open_ones += [one for one in self.asked if any(map(is_unfinished, one.replies))]
            if not open_ones:
                break
            time.sleep(2.0)
        time.sleep(TIDYING_SECONDS)

    def _ask(self) -> None:
        """In the channel, or in a thread of somebody, sometimes at the same moment as they do."""
        person = f"U{self._chance.randrange(self._people):04}"
        text = f"<@{BOT}> {self._chance.choice(self._texts)}"
        before: Asked | None = None
        if self.asked and self._chance.random() < FOLLOWING_UP:
            at_once = self._chance.random() < AT_ONCE
            before = self.asked[-1] if at_once else self._chance.choice(self._recent())
        channel = before.channel if before else f"C{self._chance.randrange(self._channels):04}"
        thread = before.thread if before else None
        ts = self._workspace.post(person, channel, text, thread_ts=thread)
        self.asked.append(Asked(channel, thread or ts, ts))

    def _recent(self) -> list[Asked]:
        return self.asked[-NEWEST_THREADS:]


def result(storm: Storm, workspace: Workspace, seconds: float, restarts: int) -> dict[str, float]:
    asked = storm.asked
    look(workspace, asked)
    read_calls(workspace.calls, asked)
    acknowledged = workspace.acknowledgement_seconds()
    signs = [one.first_sign - float(one.ts) for one in asked if one.first_sign]
    answers = [one.completed - float(one.ts) for one in asked if one.completed]
    unfinished = sum(any(map(is_unfinished, one.replies)) for one in asked)
    return {
        "questions": len(asked),
        "answered_once": sum(one.is_answered_once for one in asked),
        "answered_twice": sum(len(one.replies) > 1 for one in asked),
        "unanswered": sum(not one.replies for one in asked),
        "stuck": unfinished + status_lines(workspace, asked),
        "out_of_order": out_of_order(asked),
        "acknowledged_p50_ms": round(1000 * percentile(acknowledged, 0.5)),
        "acknowledged_p99_ms": round(1000 * percentile(acknowledged, 0.99)),
        "first_sign_p50_ms": round(1000 * percentile(signs, 0.5)),
        "first_sign_p95_ms": round(1000 * percentile(signs, 0.95)),
        "answered_p50_s": round(percentile(answers, 0.5), 1),
        "answered_p95_s": round(percentile(answers, 0.95), 1),
        "kills": KILLS,
        "restarts": restarts,
        "seconds": round(seconds, 1),
    }


def run(
    *,
    questions: int,
    people: int,
    channels: int,
    per_minute: float,
    patience: float,
    variables: Mapping[str, str],
    stalls: bool = True,
) -> dict[str, float]:
    """What became of one storm; ``variables`` are settings of the bot. Stalls take their time."""
    with (
        tempfile.TemporaryDirectory() as folder,
        large_workspace(people, channels) as workspace,
    ):
        bot = BotProcess(workspace, Path(folder), variables)
        bot.start()
        try:
            workspace.limits.start()
            workspace.deliver_twice(TWICE)
            stalled = (STALLED,) if stalls else ()
            workspace.faults.sometimes(
                FAILING, (RATE_LIMITED, SERVER_ERROR, CUT, ANSWER_LOST, *stalled)
            )
            storm = Storm(workspace, bot, people=people, channels=channels)
            began = time.monotonic()
            storm.blow(questions, per_minute)
            storm.wait(patience)
            found = result(storm, workspace, time.monotonic() - began, bot.restarts)
            for one in storm.asked:
                if not one.is_answered_once:
                    print(one.id, one.thread, [reply["text"][:200] for reply in one.replies])
            if found["answered_once"] != found["questions"]:
                print(bot.log())
            return found
        finally:
            bot.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description="Storm the bot.")
    parser.add_argument("--questions", type=int, default=1000)
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--channels", type=int, default=20)
    parser.add_argument("--per-minute", type=float, default=60.0, help="questions a minute")
    parser.add_argument("--patience", type=float, default=900.0, help="seconds, after the last")
    parser.add_argument("--model", default="", help="a GGUF file; without, the bot quotes")
    options = vars(parser.parse_args())
    model = options.pop("model")
    print(json.dumps(run(**options, variables={"LOREBOT_MODEL_PATH": model} if model else {})))


if __name__ == "__main__":
    main()
