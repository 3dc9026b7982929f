"""Files that come with a question are read for it alone, or refused aloud."""

import json

import pytest
from slack_sdk import WebClient

from bot.domain.values import AttachedFile
from bot.slack.replies.attachments import Attachments
from bot.workspace import Workspace
from indexer.documents import Audience
from indexer.settings import ExtractionTable
from tests.indexer.small_files import pdf
from tests.scenarios.conftest import ALICE, BOB, BOT, HELP, Message, answer_to, ask

BUDGET = "What is the catering budget of the Larkspur offsite?"
PAGE = b"# Larkspur offsite\n\nThe catering budget of the Larkspur offsite is 4,250 EUR.\n"


def asked_with(workspace: Workspace, *files: tuple[str, bytes]) -> Message:
    ts = workspace.post(ALICE, HELP, f"{BOT} {BUDGET}", files=files)
    return answer_to(workspace, HELP, ts, timeout=60)


@pytest.mark.usefixtures("bot")
def test_a_markdown_file_answers_its_question_and_no_other(workspace: Workspace) -> None:
    message = asked_with(workspace, ("offsite.md", PAGE))
    assert "4,250 EUR" in message["text"]
    assert "offsite.md" in json.dumps(message["blocks"])
    assert "4,250" not in json.dumps(ask(workspace, BUDGET, person=BOB))


@pytest.mark.usefixtures("bot")
def test_a_pdf_is_read(workspace: Workspace) -> None:
    content = pdf("The catering budget of the Larkspur offsite is 4,250 EUR.")
    assert "4,250 EUR" in asked_with(workspace, ("offsite.pdf", content))["text"]


@pytest.mark.usefixtures("bot")
def test_what_cannot_be_read_is_refused_aloud_and_the_rest_is_used(workspace: Workspace) -> None:
    message = asked_with(
        workspace,
        ("offsite.md", PAGE),
        ("party <!channel>.mov", b"\0\1\2"),
        ("broken.pdf", b"no pdf at all"),
        ("long.txt", b"x" * (10 * 2**20 + 1)),
    )
    shown = json.dumps(message["blocks"], ensure_ascii=False)
    assert "4,250 EUR" in message["text"]
    assert "party &lt;!channel&gt;.mov: files of this kind are beyond me" in shown
    assert "I could not read broken.pdf" in shown
    assert "long.txt: it is larger than 10 MB" in shown


@pytest.mark.usefixtures("bot")
def test_the_token_never_follows_a_redirect(workspace: Workspace) -> None:
    """Where the bot may not read a file, Slack sends it to the page where people sign in."""
    ts = workspace.post(ALICE, "D0ALICE", BUDGET, files=[("offsite.md", PAGE)])
    answer_to(workspace, "D0ALICE", ts, timeout=60)
    stolen = next(
        one["files"][0] for one in workspace.messages("D0ALICE", thread_ts=ts) if one.get("files")
    )
    for token, url in (
        ("xoxb-wrong", stolen["url_private"]),
        (workspace.bot_token, "https://evil.example/slack.com/a.md"),
        (workspace.bot_token, "https://notslack.com/a.md"),
        (workspace.bot_token, "http://files.slack.com/a.md"),
    ):
        client = WebClient(token=token, base_url=workspace.api_url)
        file = AttachedFile("F1", "a.md", url, "", 10)
        documents, (judged,) = Attachments(client, ExtractionTable()).read(
            (file,), Audience.of("public")
        )
        assert documents == []
        assert judged.refusal == "file_unreachable"
