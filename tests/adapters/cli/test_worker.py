"""``lorebot-adapters worker`` as it is run: a process, and what it logs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from bot.jobs.durable import Jobs
from bot.jobs.training import start_training
from tests.telemetry.test_logs import TOKEN

ROOT = Path(__file__).parents[3]


def test_the_worker_logs_as_the_settings_say_and_without_secrets(tmp_path: Path) -> None:
    (tmp_path / ".lorebot").mkdir()
    with closing(Jobs(f"sqlite:///{tmp_path / '.lorebot' / 'jobs.sqlite'}")) as bot:
        bot.launch()
        start_training(bot, "support")
    golden = tmp_path / TOKEN  # is not there, and the failure will name it
    source = f'[[sources]]\nname = "docs"\npath = "{tmp_path}"\naudience = "public"\n'
    (tmp_path / "lorebot.toml").write_text(f'{source}[adapters.dataset]\ngolden = "{golden}"\n')
    given = {
        "LOREBOT_LOGS_FORMAT": "json",
        "LOREBOT_RECORDS_REPLICA": "trainer",
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "adapters.cli.main", "worker"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=os.environ | given, stderr=subprocess.PIPE, text=True
    ) as worker:
        try:
            assert worker.stderr
            line = next(line for line in worker.stderr if "Training support stopped" in line)
        finally:
            worker.kill()
    logged = json.loads(line)
    assert (logged["level"], logged["replica"]) == ("error", "trainer")
    assert "/***" in logged["message"]
