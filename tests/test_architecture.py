"""The structure as tests: what may import what, who reads the environment, what the README says."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests import file_tree

ROOT = Path(__file__).parent.parent
PACKAGES = ("adapters", "bot", "indexer")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))

# Where a third-party library may be imported; everything not named is free.
HOMES = {
    "slack_bolt": ("bot/slack/",),
    "slack_sdk": (
        "bot/slack/",
        "bot/operations/doctor/slack.py",
        "indexer/sources/slack_client.py",
    ),
    "sqlalchemy": (
        "bot/records/",
        "bot/models/",
        "bot/jobs/deaths.py",
        "bot/jobs/recovery.py",
        "bot/domain/database_address.py",
    ),
    "alembic": ("bot/records/",),
    "dbos": ("bot/jobs/durable.py", "bot/jobs/schedules.py"),
    "aiohttp": ("bot/workspace/",),
    "httpx": ("bot/serving/", "bot/models/", "indexer/stores/weaviate_server.py"),
    "llama_cpp": ("bot/serving/", "indexer/embedding/pooling.py", "adapters/"),
    "gguf": ("indexer/embedding/conversion.py", "adapters/"),
    "safetensors": ("indexer/embedding/conversion.py", "adapters/"),
    "uvicorn": ("bot/telemetry/web_server.py",),
    "cryptography": ("bot/records/installations.py",),
    "prometheus_client": ("bot/telemetry/",),
    "weaviate": ("indexer/stores/",),
    "sqlite3": ("indexer/",),
    "fcntl": ("indexer/file_lock.py",),
    "pypdfium2": ("indexer/formats/",),
    "mammoth": ("indexer/formats/",),
    "markdownify": ("indexer/formats/",),
    "bs4": ("indexer/formats/",),
    "pptx": ("indexer/formats/",),
    "openpyxl": ("indexer/formats/",),
    "docutils": ("indexer/formats/",),
    "typer": (
        "bot/cli/main.py",
        "bot/cli/doctor.py",
        "bot/cli/model.py",
        "bot/cli/operations.py",
        "bot/cli/records.py",
        "indexer/cli.py",
        "adapters/",
    ),
    "rich": (
        "bot/cli/main.py",
        "bot/cli/doctor.py",
        "bot/cli/model.py",
        "bot/cli/operations.py",
        "bot/cli/records.py",
        "indexer/",
        "adapters/",
    ),
    "pydantic_settings": ("bot/domain/settings.py", "indexer/settings.py"),
}
TRAINING = {"torch", "transformers", "peft", "trl", "bitsandbytes", "accelerate", "datasets"}


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> set[str]:
    """Top-level names a file imports anywhere, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_third_party_libraries_stay_in_their_places(path: Path) -> None:
    for library in imports(path):
        homes = HOMES.get(library)
        assert homes is None or relative(path).startswith(homes), (
            f"{relative(path)} imports {library}, whose place is {homes}"
        )


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_only_settings_read_the_environment(path: Path) -> None:
    if path.name == "settings.py":
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute):
            assert node.attr not in {"environ", "getenv", "environb"}, relative(path)


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_serving_never_imports_what_only_training_needs(path: Path) -> None:
    if not relative(path).startswith("adapters/"):
        assert not imports(path) & TRAINING


@pytest.mark.parametrize(
    "module", ["bot.cli.main", "bot.bootstrap.wiring", "indexer.cli", "indexer.index"]
)
def test_importing_loads_no_engine_and_no_training(module: str) -> None:
    """llama.cpp is loaded when a model is opened, torch never."""
    program = (
        f"import sys, {module}; "
        "print(sorted({'llama_cpp', 'torch', 'transformers'} & set(sys.modules)))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert loaded.stdout.strip() == "[]"


def test_imports_go_one_way() -> None:
    linter = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert linter.returncode == 0, linter.stdout


def test_the_written_tree_is_the_tree_on_disk() -> None:
    assert file_tree.written() == file_tree.tree(), "run: python -m tests.file_tree"


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_every_file_says_in_its_first_line_what_it_is_for(path: Path) -> None:
    if path.stat().st_size and "/versions/" not in relative(path):
        assert ast.get_docstring(ast.parse(path.read_text()))
