"""Elements people fill in: what Slack lets stand where, and what it reports of them."""

from __future__ import annotations

from typing import Any

import pytest

from bot.workspace import Refused, WorkspaceError
from bot.workspace.block_kit.block_rules import check_message_blocks, check_view
from bot.workspace.block_kit.blocks import named
from bot.workspace.block_kit.forms import filled, missing


def plain(text: str) -> dict[str, str]:
    return {"type": "plain_text", "text": text}


def option(value: str) -> dict[str, Any]:
    return {"text": plain(value), "value": value}


def asked(element: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "input", "block_id": "b", "label": plain("L"), "element": element, **more}


def modal(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"type": "modal", "title": plain("T"), "submit": plain("S"), "blocks": list(blocks)}


def refusal_of(view: dict[str, Any]) -> str:
    with pytest.raises(Refused) as refused:
        check_view(view)
    assert refused.value.code == "invalid_arguments"
    return refused.value.details[0]


SELECT = {"type": "static_select", "action_id": "a", "options": [option("x"), option("y")]}
GROUPED = {
    "type": "static_select",
    "action_id": "a",
    "option_groups": [{"label": plain("G"), "options": [option("x")]}],
}


@pytest.mark.parametrize(
    ("element", "answer", "reported"),
    [
        (SELECT, "y", {"selected_option": option("y")}),
        (GROUPED, "x", {"selected_option": option("x")}),
        ({**SELECT, "type": "radio_buttons"}, "x", {"selected_option": option("x")}),
        ({**SELECT, "type": "checkboxes"}, ["x"], {"selected_options": [option("x")]}),
        ({"type": "datepicker"}, "2026-05-01", {"selected_date": "2026-05-01"}),
        ({"type": "timepicker"}, "09:30", {"selected_time": "09:30"}),
        ({"type": "number_input"}, "7", {"value": "7"}),
        ({"type": "multi_users_select"}, ["U0BOB"], {"selected_users": ["U0BOB"]}),
        ({"type": "conversations_select"}, "C0HELP", {"selected_conversation": "C0HELP"}),
        ({"type": "external_select"}, option("z"), {"selected_option": option("z")}),
    ],
)
def test_answer_is_reported_as_slack_reports_it(
    element: dict[str, Any], answer: Any, reported: dict[str, Any]
) -> None:
    view = check_view(modal(asked({"action_id": "a", **element})))
    values = filled(named(view["blocks"]), {"a": answer})
    assert values["b"]["a"] == {"type": element["type"], **reported}


def test_what_a_view_said_at_first_is_its_answer() -> None:
    blocks = named([asked({"type": "plain_text_input", "action_id": "a", "initial_value": "hi"})])
    assert filled(blocks, {})["b"]["a"]["value"] == "hi"


def test_unknown_option_and_unknown_field_are_refused() -> None:
    blocks = named([asked(SELECT)])
    with pytest.raises(WorkspaceError, match="is not an option"):
        filled(blocks, {"a": "z"})
    with pytest.raises(WorkspaceError, match="has no"):
        filled(blocks, {"b": "z"})


@pytest.mark.parametrize(
    ("typed", "problem"),
    [("", "required"), ("abc", "at least 5"), ("abcdefghij", "at most 8"), ("abcdef", "")],
)
def test_typed_text_must_fit(typed: str, problem: str) -> None:
    field = {"type": "plain_text_input", "action_id": "a", "min_length": 5, "max_length": 8}
    blocks = named([asked(field)])
    problems = missing(blocks, filled(blocks, {"a": typed}))
    assert problem in problems.get("b", "")
    assert bool(problem) == bool(problems)


def test_optional_field_may_stay_empty() -> None:
    blocks = named([asked(SELECT, optional=True)])
    assert missing(blocks, filled(blocks, {})) == {}


@pytest.mark.parametrize(
    ("block", "where"),
    [
        (asked({"type": "button", "text": plain("x")}), "/element/type"),
        (asked({**SELECT, "options": []}), "/element/options"),
        (asked({**SELECT, "options": [option("x")] * 101}), "/element/options"),
        (asked({**SELECT, "type": "checkboxes", "options": [option("x")] * 11}), "/options"),
        (asked({**SELECT, "initial_option": option("z")}), "/element"),
        (asked(SELECT, hint={"type": "mrkdwn", "text": "x"}), "/hint"),
        ({"type": "actions", "elements": [{"type": "plain_text_input"}]}, "/elements/0/type"),
        ({"type": "image", "alt_text": "x"}, "/blocks/0"),
        ({"type": "markdown", "text": "x"}, "/type"),
    ],
)
def test_what_slack_refuses_is_refused_by_its_path(block: dict[str, Any], where: str) -> None:
    assert f"{where}]" in refusal_of(modal(block))


def test_input_needs_a_submit_button() -> None:
    view = modal(asked(SELECT))
    del view["submit"]
    assert "submit" in refusal_of(view)


def test_message_may_hold_one_table() -> None:
    table = {"type": "table", "rows": [[{"type": "raw_text", "text": "x"}]]}
    check_message_blocks([table])
    with pytest.raises(Refused, match="only_one_table_allowed"):
        check_message_blocks([table, table])
