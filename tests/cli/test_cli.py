"""The commands as a person runs them: a process, its output, its exit code."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from bot.workspace import Workspace
from tests.services.dying_llama import dying_llama

PAGE = "# Coffee\n\nThe coffee machine is on floor 3.\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "coffee.md").write_text(PAGE)
    return folder


class Lorebot:
    """Runs ``lorebot`` in a folder of its own, with nothing set but what a test sets."""

    def __init__(self, home: Path, cache: Path) -> None:
        self.home = home
        self.environment = os.environ | {
            "LOREBOT_CACHE_DIR": str(cache),
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }

    def __call__(self, *arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "bot.cli.main", *arguments],
            cwd=self.home,
            env=self.environment | settings,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


@pytest.mark.parametrize(
    ("module", "arguments", "said"),
    [
        ("bot.cli.main", (), "needs [index] worker = true everywhere."),
        ("bot.cli.main", ("token-key",), "a fresh key for [slack] token_keys"),
        ("bot.cli.main", ("retention",), "older than [retention] allows"),
        ("bot.cli.main", ("model", "pull"), "file.gguf[@revision]"),
        ("adapters.cli.main", ("lora",), "([adapters] served)"),
    ],
)
def test_help_names_the_tables_of_the_settings(
    module: str, arguments: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    told = subprocess.run(
        [sys.executable, "-m", module, *arguments, "--help"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said in told.stdout


@pytest.fixture
def lorebot(tmp_path: Path, cache_dir: Path) -> Lorebot:
    return Lorebot(tmp_path, cache_dir)


def failed(process: "subprocess.CompletedProcess[str]", *words: str) -> None:
    """One sentence that says what to do, no traceback, an exit code that scripts can see."""
    assert process.returncode == 1
    assert process.stderr.startswith("lorebot: ")
    assert "Traceback" not in process.stderr
    for word in words:
        assert word in process.stderr


def test_a_question_over_a_folder_is_answered_with_its_source(
    lorebot: Lorebot, folder: Path
) -> None:
    asked = lorebot("ask", "--docs", str(folder), "Where is the coffee machine?")
    assert asked.returncode == 0
    assert asked.stdout.startswith("The coffee machine is on floor 3. [1]")
    assert "[1] Coffee (docs:coffee.md)" in asked.stdout
    assert asked.stderr == ""


def test_an_unreadable_page_is_named_and_the_rest_still_answers(
    lorebot: Lorebot, folder: Path
) -> None:
    (folder / "broken.md").write_bytes(b"# Page\n\x80\x81\x00")
    asked = lorebot("ask", "--docs", str(folder), "Where is the coffee machine?")
    failed(asked, "broken.md")
    assert "floor 3" in asked.stdout


def test_a_page_that_became_unreadable_keeps_answering_from_its_last_version(
    lorebot: Lorebot, folder: Path
) -> None:
    lorebot("ask", "--docs", str(folder), "Where is the coffee machine?")
    (folder / "coffee.md").write_bytes(b"# Page\n\x80\x81\x00")
    (folder / "tea.md").write_text("# Tea\n\nTea is in the kitchen.\n")
    asked = lorebot("ask", "--docs", str(folder), "Where is the coffee machine?")
    failed(asked, "coffee.md")
    assert "floor 3" in asked.stdout


def test_a_folder_that_lost_all_its_pages_loses_none_in_the_index(
    lorebot: Lorebot, folder: Path
) -> None:
    lorebot("ask", "--docs", str(folder), "Where is the coffee machine?")
    (folder / "coffee.md").unlink()
    failed(lorebot("ask", "--docs", str(folder), "Where is the coffee machine?"), "no documents")
    (folder / "coffee.md").write_text(PAGE)
    assert lorebot("ask", "--docs", str(folder), "Where is the coffee machine?").returncode == 0


def test_a_missing_folder_is_named(lorebot: Lorebot) -> None:
    failed(lorebot("ask", "--docs", "nowhere", "x?"), "nowhere", "does not exist")


def test_without_documents_it_answers_from_the_sample_and_says_so(lorebot: Lorebot) -> None:
    asked = lorebot("ask", "How much may I spend on meals per day when I travel?")
    assert asked.returncode == 0
    assert "45 EUR" in asked.stdout
    assert "--docs FOLDER" in asked.stderr


def test_the_bot_does_not_serve_the_sample_by_mistake(lorebot: Lorebot) -> None:
    with Workspace() as workspace:
        served = lorebot(
            "run",
            LOREBOT_SLACK_API_URL=workspace.api_url,
            LOREBOT_SLACK_BOT_TOKEN=workspace.bot_token,
            LOREBOT_SLACK_APP_TOKEN=workspace.app_token,
        )
    failed(served, "[[sources]]")


@pytest.mark.parametrize(
    ("name", "hint"), [("missing.gguf", "no model file"), ("docs/coffee.md", "not a GGUF file")]
)
def test_an_unusable_model_file_is_named(
    lorebot: Lorebot, folder: Path, name: str, hint: str
) -> None:
    path = str(folder.parent / name)
    failed(lorebot("ask", "--docs", str(folder), "x y?", LOREBOT_MODEL_PATH=path), name, hint)


def test_a_llama_cpp_that_dies_of_rearranged_weights_takes_no_process_with_it(
    lorebot: Lorebot, folder: Path, tmp_path: Path, tiny_model: Path
) -> None:
    """As on a processor with AMX, where GCC 12 compiled llama.cpp."""
    asked = lorebot(
        *("ask", "--docs", str(folder), "Where is the coffee machine?"),
        LOREBOT_CACHE_DIR=str(tmp_path / "cache"),
        LOREBOT_MODEL_PATH=str(tiny_model),
        **dying_llama(tmp_path, "repacked"),
    )
    assert (asked.returncode, "floor 3" in asked.stdout) == (0, True)
    for name in ("all-MiniLM-L6-v2.bf16.gguf", tiny_model.name):
        assert f"{name} is loaded a safer way" in asked.stderr


def test_a_llama_cpp_that_dies_of_everything_is_one_sentence(
    lorebot: Lorebot, folder: Path, tmp_path: Path
) -> None:
    failed(
        lorebot(
            *("ask", "--docs", str(folder), "Where is the coffee machine?"),
            LOREBOT_CACHE_DIR=str(tmp_path / "cache"),
            **dying_llama(tmp_path, "always"),
        ),
        "llama.cpp dies at the first batch (SIGILL; loaded the safer way: SIGILL)",
        "Compile llama.cpp anew",
    )


def test_a_misspelt_setting_is_named(lorebot: Lorebot) -> None:
    failed(lorebot("run", LOREBOT_SLACK_BOT_TOKN="x"), "LOREBOT_SLACK_BOT_TOKN")
    (lorebot.home / "lorebot.toml").write_text("[index]\ndense_wait = 1\n")
    failed(lorebot("run"), "index.dense_wait", "lorebot.toml", "did you mean dense_weight?")


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("LOREBOT_SLACK_BOT_TOKN", "(did you mean LOREBOT_SLACK_BOT_TOKEN?)"),
        ("LOREBOT_SLAK_APP_TOKEN_FILE", "(did you mean LOREBOT_SLACK_APP_TOKEN_FILE?)"),
        ("LOREBOT_DATADIR", "(did you mean LOREBOT_DATA_DIR?)"),
        ("LOREBOT_QQQQ", "LOREBOT_QQQQ."),
    ],
)
def test_of_a_misspelt_variable_only_the_nearest_is_named(
    lorebot: Lorebot, variable: str, meant: str
) -> None:
    told = lorebot("run", **{variable: "x"})
    failed(told, meant, "docs/settings.md")
    assert len(told.stderr) < 250


@pytest.mark.parametrize("port", ["99999", "65536", "-1", "9" * 30])
def test_a_port_that_is_none_is_named(lorebot: Lorebot, port: str) -> None:
    failed(lorebot("demo", "--port", port), f"no port {port}", "--port")


@pytest.mark.parametrize(
    "address",
    [
        "foo",
        "http://lorebot.example.com",
        "https://",
        "https:///slack",
        "https://a b",
        "https://x:y",
        "https://x:99999",
        "https://u:p@x.org",
        "https://x.org?a=1",
        "https://x.org#a",
        "ftp://x.org",
        "127.0.0.1:3000",
        "https://[::1",
        " ",
        "https://x.org\n",
    ],
)
def test_a_manifest_is_for_an_address_that_slack_can_post_to(
    lorebot: Lorebot, address: str
) -> None:
    failed(lorebot("manifest", "--http", address), "https://lorebot.example.com")


@pytest.mark.parametrize("address", ["https://lorebot.example.com", "https://x.org:8443/bots/"])
def test_a_manifest_has_the_address(lorebot: Lorebot, address: str) -> None:
    assert f"{address.rstrip('/')}/slack/events" in lorebot("manifest", "--http", address).stdout


def test_missing_and_malformed_tokens_are_explained(lorebot: Lorebot) -> None:
    failed(lorebot("run"), "LOREBOT_SLACK_BOT_TOKEN", "lorebot demo")
    failed(lorebot("run", LOREBOT_SLACK_BOT_TOKEN="secret-123"), "does not begin with xoxb-")


@pytest.mark.parametrize("wrong", ["LOREBOT_SLACK_BOT_TOKEN", "LOREBOT_SLACK_APP_TOKEN"])
def test_tokens_that_slack_refuses_are_explained_and_never_printed(
    lorebot: Lorebot, folder: Path, wrong: str
) -> None:
    (lorebot.home / "lorebot.toml").write_text(
        f'[[sources]]\nname = "docs"\npath = "{folder}"\naudience = "public"\n'
    )
    with Workspace() as workspace:
        tokens = {
            "LOREBOT_SLACK_BOT_TOKEN": workspace.bot_token,
            "LOREBOT_SLACK_APP_TOKEN": workspace.app_token,
        }
        tokens[wrong] = tokens[wrong][:5] + "wr0ng-s3cret"
        refused = lorebot("run", LOREBOT_SLACK_API_URL=workspace.api_url, **tokens)
    failed(refused, "refuses", wrong)
    assert "s3cret" not in refused.stderr + refused.stdout


def test_a_port_in_use_is_named(lorebot: Lorebot) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        failed(lorebot("demo", "--port", str(port)), str(port), "--port")


def test_a_folder_is_never_indexed_into_the_teams_own_store(lorebot: Lorebot, folder: Path) -> None:
    (lorebot.home / "lorebot.toml").write_text(
        '[store]\nkind = "weaviate"\nurl = "http://127.0.0.1:9"\n'
    )
    asked = lorebot("ask", "--docs", str(folder), "Where is the coffee machine?")
    assert asked.returncode == 0
    assert "floor 3" in asked.stdout


def test_asking_in_a_folder_leaves_nothing_behind(lorebot: Lorebot, folder: Path) -> None:
    lorebot("ask", "--docs", str(folder), "Where is the coffee machine?")
    assert {path.name for path in lorebot.home.iterdir()} == {"docs"}


def test_where_the_demos_answers_are_is_said(lorebot: Lorebot) -> None:
    demo = lorebot.home / ".lorebot" / "demo"
    demo.mkdir(parents=True)
    (demo / "records.sqlite").touch()
    failed(lorebot("trace"), "no answer yet", "LOREBOT_DATA_DIR=.lorebot/demo")


def test_a_model_of_a_file_and_of_a_server_at_once_is_a_mistake(lorebot: Lorebot) -> None:
    (lorebot.home / "lorebot.toml").write_text(
        '[model]\npath = "x.gguf"\nurl = "http://127.0.0.1:9/v1"\n'
    )
    failed(lorebot("ask", "Where?"), "path and url are both set")


def test_while_a_model_server_is_away_the_documents_are_quoted(
    lorebot: Lorebot, folder: Path
) -> None:
    question, address = "Where is the coffee machine?", "http://127.0.0.1:9/v1"
    asked = lorebot("ask", "--docs", str(folder), question, LOREBOT_MODEL_URL=address)
    assert asked.returncode == 0
    assert "floor 3" in asked.stdout
    assert "127.0.0.1:9" in asked.stderr


def test_without_answers_there_is_nothing_to_trace_or_to_calibrate(lorebot: Lorebot) -> None:
    failed(lorebot("trace"), "no answer yet", "ask the bot something first")
    calibrated = lorebot("calibrate")
    assert calibrated.returncode == 0
    assert "Nothing to change" in calibrated.stdout
