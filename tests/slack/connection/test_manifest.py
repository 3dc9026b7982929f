"""The manifest that is kept, the one that is printed, and what the app listens to."""

import json
from pathlib import Path

from bot.slack.connection import manifest as module
from bot.slack.connection.manifest import manifest
from bot.workspace.web_api.scopes import ALL_SCOPES

KEPT = Path(module.__file__).with_suffix(".json")


def test_the_kept_manifest_is_the_generated_one() -> None:
    assert json.loads(KEPT.read_text()) == manifest(), (
        "run: lorebot manifest > bot/slack/connection/manifest.json"
    )


def test_socket_mode_names_no_address() -> None:
    made = manifest()
    assert made["settings"]["socket_mode_enabled"]
    assert not made["settings"]["token_rotation_enabled"]
    assert "http" not in json.dumps(made)


def test_over_http_everything_goes_to_one_address() -> None:
    made = manifest("https://lore.example.com/")
    url = "https://lore.example.com/slack/events"
    assert made["settings"]["event_subscriptions"]["request_url"] == url
    assert made["settings"]["interactivity"]["request_url"] == url
    assert {command["url"] for command in made["features"]["slash_commands"]} == {url}
    assert not made["settings"]["socket_mode_enabled"]
    assert "redirect_urls" not in made["oauth_config"]


def test_several_workspaces_come_back_to_us_and_their_tokens_rotate() -> None:
    made = manifest("https://lore.example.com", several=True)
    assert made["oauth_config"]["redirect_urls"] == [
        "https://lore.example.com/slack/oauth_redirect"
    ]
    assert made["settings"]["token_rotation_enabled"]


def test_slacks_limits_are_kept() -> None:
    made = manifest()
    assert len(made["display_information"]["description"]) <= 140
    assert len(made["features"]["agent_view"]["agent_description"]) <= 300
    assert len(made["features"]["agent_view"]["suggested_prompts"]) <= 4
    assert all(command["should_escape"] for command in made["features"]["slash_commands"])
    assert set(made["oauth_config"]["scopes"]["bot"]) <= set(ALL_SCOPES)
