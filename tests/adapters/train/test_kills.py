"""kill -9 in stages that a whole line passes too fast to be killed in: prefer and promote.

Those that take longer are killed in test_line_crash.py.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from adapters.promote.promote import identity
from adapters.runs.manifest import Status, load
from adapters.train.preference import prefer
from adapters.train.sft import train
from bot.models.registry import Registry
from bot.records.database import Database
from tests.adapters import lessons
from tests.adapters.candidates import a_candidate
from tests.adapters.promote.test_promote import promoted
from tests.adapters.train.test_preference import KTO, TRAIN, write
from tests.services.model_files import write_gguf

ROOT = Path(__file__).parents[3]

PREFERRING = """
import os, signal, sys
from pathlib import Path
from adapters.runs.display import Silent
from adapters.runs.manifest import load
from adapters.train.preference import prefer
from tests.adapters.train.test_preference import KTO

class Killer(Silent):
    def move(self, done, note=""):
        if done == 4:
            os.kill(os.getpid(), signal.SIGKILL)

base, trained, folder, preferences, validation = map(Path, sys.argv[1:])
prefer(
    KTO, load(trained), base, folder,
    preferences=preferences, validation=validation, display=Killer(),
)
"""

PROMOTING = """
import os, signal, sys
from pathlib import Path
import adapters.promote.promote
from bot.records.database import Database
from bot.models.registry import Registry
from tests.adapters.candidates import a_candidate
from tests.adapters.promote.test_promote import promoted

def die(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)

folder, serving, moment = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
setattr(adapters.promote.promote, moment, die)
registry = Registry(Database(f"sqlite:///{folder}/records.sqlite"), folder / "models")
promoted(registry, a_candidate(folder / "line", serving=serving), folder)
"""


def killed(program: str, *arguments: object) -> None:
    process = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)], cwd=ROOT, check=False
    )
    assert process.returncode == -signal.SIGKILL


def test_killed_preferring_goes_on_and_ends_in_the_very_same_adapter(
    tiny_base: Path, tmp_path: Path
) -> None:
    files = lessons.write(tmp_path, lessons.examples(8))
    trained = train(TRAIN, tiny_base, tmp_path / "trained", **files)
    thumbs = write(tmp_path / "thumbs", lessons.thumbs(12), 4)
    straight = prefer(KTO, trained, tiny_base, tmp_path / "straight", **thumbs)

    folder = tmp_path / "run"
    killed(PREFERRING, tiny_base, tmp_path / "trained", folder, *thumbs.values())
    assert load(folder).status is Status.RUNNING
    resumed = prefer(KTO, trained, tiny_base, folder, **thumbs)
    assert resumed.metrics["steps"] == straight.metrics["steps"]
    assert resumed.outputs["adapter"] == straight.outputs["adapter"]


@pytest.mark.parametrize("moment", ["_register", "_let_answer"])
def test_killed_promotion_is_completed_once(tmp_path: Path, moment: str) -> None:
    with closing(Database(f"sqlite:///{tmp_path}/records.sqlite")) as database:
        registry = Registry(database, tmp_path / "models")
        registry.add(write_gguf(tmp_path / "old.gguf"), name="old")
        registry.activate("old", "ana")
        old = identity(registry.version("old"))

        killed(PROMOTING, tmp_path, old, moment)
        assert registry.serving().version == registry.version("old")

        candidate = a_candidate(tmp_path / "line", serving=old)
        promoted(registry, candidate, tmp_path)
        version = registry.serving().version
        assert version is not None
        assert version.name == candidate.name("default")
        assert len(registry.versions()) == 2
        assert [change.version for change in registry.history()] == [version.name, "old"]
