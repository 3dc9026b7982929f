"""What is built keeps to Slack's limits, whatever text goes in, as the local workspace checks."""

from typing import Any

from bot.slack.rendering.blocks import (
    actions,
    button,
    context,
    filled_in,
    header,
    input_block,
    modal,
    section,
)
from bot.workspace.block_kit.block_rules import check_message_blocks, check_view

LONG = "word " * 1_000


def text_input(action_id: str) -> dict[str, Any]:
    return {"type": "plain_text_input", "action_id": action_id}


def test_long_texts_are_cut_to_what_slack_takes() -> None:
    press = button(LONG, "press", "1", confirm=LONG, style="danger")
    built = [header(LONG), section(LONG), context(LONG), actions(press)]
    assert check_message_blocks(built) == built


def test_a_form_is_a_view_with_its_metadata() -> None:
    fields = [input_block("Your question", text_input("question"), hint="In your own words.")]
    view = modal("Ask", fields, callback_id="ask", metadata="C1", submit="Ask", close="Cancel")
    assert check_view(view) == view
    assert (view["callback_id"], view["private_metadata"]) == ("ask", "C1")


def test_a_view_without_submit_only_tells() -> None:
    view = modal("Saved", [section("Saved.")], close="Close")
    assert check_view(view) == view
    assert "submit" not in view
    assert "callback_id" not in view


def test_what_was_filled_in_is_found_by_action() -> None:
    asked = input_block("Your question", text_input("question"))
    state = {asked["block_id"]: {"question": {"value": "How much?"}}}
    assert filled_in({"state": {"values": state}}) == {"question": {"value": "How much?"}}
