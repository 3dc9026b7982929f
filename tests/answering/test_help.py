"""Help is made of what its readers may read, and every question it offers is answered."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.answering.languages import ENGLISH, language_named
from bot.answering.pipeline import Pipeline
from bot.answering.route import is_thanks, wants_help
from bot.domain.settings import Settings
from bot.domain.values import Ending, Question
from bot.serving.lending import FixedModels
from bot.slack.connection.manifest import manifest
from indexer.documents import Audience
from indexer.index import Index, open_index
from indexer.settings import FilesSource

PUBLIC = Audience.of("public")
LEADERS = Audience.of("public", "slack_user:U0ALICE", "slack_channel:C0LEADS")
HELP = "What can you help me with?"
LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl", "pl")


@pytest.fixture(scope="module")
def index(cache_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """Two sources, one of them for the leaders alone."""
    home = tmp_path_factory.mktemp("help")
    pages, board = home / "pages", home / "board"
    pages.mkdir()
    board.mkdir()
    (pages / "kayaks.md").write_text(
        "# Kayaks\n\n## How do I book a kayak?\n\nTo book a kayak, write your name into the list "
        "at the boat house. A kayak can be booked for two hours.\n"
    )
    (pages / "bread.md").write_text(
        "# Baking bread\n\nBaking bread takes flour, water and salt. The documents say that baking "
        "bread takes four hours.\n"
    )
    (pages / "hostile.md").write_text(
        "# <!channel> [claim](https://evil.example) `x`\n\nHow do I get it? Take it.\n"
    )
    (board / "layoffs.md").write_text(
        "# Layoffs\n\n## Who is responsible for layoffs?\n\nThe board is responsible for layoffs.\n"
    )
    sources = (
        FilesSource(name="pages", path=pages, audience=("public",)),
        FilesSource(name="board-papers", path=board, audience=("slack_channel:C0LEADS",)),
    )
    settings = Settings(cache_dir=cache_dir, data_dir=home / "data", sources=sources)
    with open_index(settings) as index:
        index.sync()
        yield index


@pytest.fixture
def pipeline(index: Index) -> Pipeline:
    return Pipeline(index, FixedModels(None))


def test_help_tells_sources_their_age_and_questions(pipeline: Pipeline) -> None:
    answer = pipeline.answer(Question("q", HELP, LEADERS))
    assert answer.ending is Ending.SMALL_TALK
    assert "**pages** (documents: 3, as of 20" in answer.text
    assert "**board-papers** (documents: 1, " in answer.text
    assert "How do I book a kayak?" in answer.text
    assert answer.nearest == ()
    assert answer.passages  # a document that is forgotten takes the help with it


def test_what_a_reader_may_not_read_is_in_no_help(pipeline: Pipeline) -> None:
    for audience in (PUBLIC, Audience.of("group:others")):
        answer = pipeline.answer(Question("q", HELP, audience))
        suggested = pipeline.suggestions(Question("q", "", audience))
        assert "ayoff" not in answer.text + str(suggested)
        assert "board" not in answer.text + str(suggested)
    assert "pages" not in answer.text  # the last reader may read none of them


def test_sources_that_a_channel_leaves_out_are_not_told(pipeline: Pipeline) -> None:
    answer = pipeline.answer(Question("q", HELP, LEADERS, sources=("pages",)))
    assert "board" not in answer.text


def test_every_question_that_is_suggested_is_answered(pipeline: Pipeline) -> None:
    ask_for_help, *questions = pipeline.suggestions(Question("q", "", LEADERS))
    assert ask_for_help == HELP
    assert len(questions) >= 2
    for text in questions:
        answer = pipeline.answer(Question("q", text, LEADERS))
        assert answer.ending is Ending.QUOTED, text
        assert "evil" not in text


def test_the_manifests_prompts_are_answerable_with_any_documents() -> None:
    prompts = manifest()["features"]["agent_view"]["suggested_prompts"]
    assert prompts
    assert all(wants_help(prompt["message"]) for prompt in prompts)


@pytest.mark.parametrize("code", LANGUAGES)
def test_help_can_be_asked_for_in_every_language(code: str) -> None:
    language = language_named(code)
    assert language is not None
    assert wants_help(language.help_asked)
    assert "{topic}" in language.help_question
    assert "{count}" in language.help_documents
    assert "{moment}" in language.help_read


@pytest.mark.parametrize("text", ["help with expenses", "What can you tell me about VPN?"])
def test_a_question_is_no_call_for_help(text: str) -> None:
    assert not wants_help(text)


@pytest.mark.parametrize(
    ("text", "thanks"),
    [
        ("thanks!", True),
        ("Thank you so much, Lorebot", True),
        ("hi, thanks", True),
        ("great!", True),
        ("bye", True),
        ("Danke schön!", True),
        ("hello", False),
        ("good morning", False),
        ("👋", False),
    ],
)
def test_thanks_are_answered_as_thanks(pipeline: Pipeline, text: str, thanks: bool) -> None:
    assert is_thanks(text) is thanks
    answer = pipeline.answer(Question("q", text, PUBLIC, language="en"))
    assert answer.text == (ENGLISH.welcome if thanks else ENGLISH.greeting)


def test_who_reads_alone_is_not_told_of_everyone(pipeline: Pipeline) -> None:
    unknown = "What is the melting point of tungsten?"
    alone = pipeline.answer(Question("q", unknown, LEADERS))
    assert alone.text == ENGLISH.not_found_alone
    assert pipeline.answer(Question("q", unknown, PUBLIC)).text == ENGLISH.not_found
