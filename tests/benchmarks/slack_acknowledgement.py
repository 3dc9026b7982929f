"""How soon Slack gets its receipt, and people the first sign, while twenty answers are written.

Run with ``make bench NAME=slack_acknowledgement``. The bot is a process of its own with the random
half billion parameters of ``half_billion.py``, which keep all cores busy; ``--model FILE`` takes
another. Twenty people ask, and while their answers are generated somebody else asks every second,
in a thread of their own. The last line is one JSON object: the receipts of all events, the first
signs of those later questions; ``writing`` is how many answers were unfinished on average.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

from bot.workspace import Workspace
from indexer.settings import IndexSettings
from tests.benchmarks.half_billion import half_billion
from tests.benchmarks.slack_storm_findings import (
    Asked,
    is_unfinished,
    look,
    percentile,
    read_calls,
)
from tests.benchmarks.slack_storm_process import BOT, BotProcess, large_workspace

PEOPLE, CHANNELS = 50, 20
QUESTION = "How do we handle an incident at night, and who is told about it? ({number})"


class Asking:
    """Questions, each from the next person in the next channel."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._number = 0

    def ask(self) -> Asked:
        self._number += 1
        person, channel = f"U{self._number % PEOPLE:04}", f"C{self._number % CHANNELS:04}"
        text = f"<@{BOT}> {QUESTION.format(number=self._number)}"
        ts = self._workspace.post(person, channel, text)
        return Asked(channel, ts, ts)

    def unfinished(self, asked: list[Asked]) -> int:
        look(self._workspace, asked)
        return sum(not one.replies or is_unfinished(one.replies[0]) for one in asked)


def measure(workspace: Workspace, answers: int, questions: int) -> dict[str, float]:
    asking = Asking(workspace)
    first = [asking.ask() for _ in range(answers)]
    time.sleep(5)
    measured: list[Asked] = []
    writing: list[int] = []
    began = time.monotonic()
    for number in range(questions):
        time.sleep(max(0.0, began + number - time.monotonic()))
        measured.append(asking.ask())
        if number % 10 == 0:
            writing.append(asking.unfinished([*first, *measured]))
    time.sleep(5)
    read_calls(workspace.calls, measured)
    events = [event for one in measured for event in workspace.event_ids(one.ts)]
    receipts = workspace.acknowledgement_seconds()
    signs = [one.first_sign - float(one.ts) for one in measured if one.first_sign]
    return {
        "questions": questions,
        "writing": round(sum(writing) / len(writing), 1),
        "receipts": len(receipts),
        "sent_again": sum(workspace.attempts(event) > 1 for event in events),
        "without_sign": questions - len(signs),
        "acknowledged_p50_ms": round(1000 * percentile(receipts, 0.5)),
        "acknowledged_p99_ms": round(1000 * percentile(receipts, 0.99)),
        "acknowledged_max_ms": round(1000 * max(receipts)),
        "first_sign_p50_ms": round(1000 * percentile(signs, 0.5)),
        "first_sign_p95_ms": round(1000 * percentile(signs, 0.95)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Time receipts and first signs under load.")
    parser.add_argument("--answers", type=int, default=20)
    parser.add_argument("--questions", type=int, default=120, help="one a second")
    parser.add_argument("--model", type=Path, help="a GGUF file")
    arguments = parser.parse_args()
    model = arguments.model or half_billion(IndexSettings().cache_dir / "benchmarks")
    with tempfile.TemporaryDirectory() as folder, large_workspace(PEOPLE, CHANNELS) as workspace:
        bot = BotProcess(workspace, Path(folder), {"LOREBOT_MODEL_PATH": str(model)})
        try:
            bot.start()
            workspace.limits.start()
            print(json.dumps(measure(workspace, arguments.answers, arguments.questions)))
        finally:
            bot.stop()


if __name__ == "__main__":
    main()
