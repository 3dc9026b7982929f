"""The app's manifest, for Socket Mode or for HTTP: scopes, events, commands and shortcuts."""

from __future__ import annotations

from typing import Any

from bot.slack.connection.oauth import REDIRECT_PATH
from bot.slack.connection.transport import EVENTS_PATH

SCOPES = (
    "app_mentions:read",
    "assistant:write",
    "channels:history",
    "channels:read",
    "chat:write",
    "commands",
    "files:read",
    "groups:history",
    "groups:read",
    "im:history",
    "im:read",
    "mpim:history",
    "mpim:read",
    "reactions:read",
    "reactions:write",
    "users:read",
)
EVENTS = (
    "agent_session_stopped",
    "app_context_changed",
    "app_home_opened",
    "app_mention",
    "app_uninstalled",
    "member_joined_channel",
    "message.channels",
    "message.groups",
    "message.im",
    "message.mpim",
    "reaction_added",
    "reaction_removed",
    "tokens_revoked",
)
_DESCRIPTION = "Answers questions from your team's own documents, with sources."
# Whatever the documents are: until the bot sets prompts from its index, see listeners/prompts.py.
_PROMPTS = {
    "What can you do?": "What can you help me with?",
    "See what I know": "Which documents do you know?",
}


def manifest(url: str = "", *, several: bool = False) -> dict[str, Any]:
    """For Socket Mode, or for HTTP behind the public address ``url``.

    ``several`` workspaces install by OAuth, with tokens that rotate.
    """
    base = url.rstrip("/")
    request_url = {"request_url": f"{base}{EVENTS_PATH}"} if base else {}
    command_url = {"url": f"{base}{EVENTS_PATH}"} if base else {}
    redirect = {"redirect_urls": [f"{base}{REDIRECT_PATH}"]} if several else {}
    return {
        "display_information": {
            "name": "Lorebot",
            "description": _DESCRIPTION,
            "background_color": "#1d6f5c",
        },
        "features": {
            "app_home": {
                "home_tab_enabled": True,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "agent_view": {
                "agent_description": _DESCRIPTION,
                "suggested_prompts": [
                    {"title": title, "message": message} for title, message in _PROMPTS.items()
                ],
            },
            "bot_user": {"display_name": "Lorebot", "always_online": True},
            "shortcuts": [
                {
                    "name": "Ask about this",
                    "type": "message",
                    "callback_id": "ask_about_this",
                    "description": "Ask Lorebot a question about this message",
                }
            ],
            "slash_commands": [_command(*each) | command_url for each in _COMMANDS],
        },
        "oauth_config": {**redirect, "scopes": {"bot": list(SCOPES)}},
        "settings": {
            "event_subscriptions": {**request_url, "bot_events": list(EVENTS)},
            "interactivity": {"is_enabled": True, **request_url},
            "socket_mode_enabled": not base,
            "token_rotation_enabled": several,
        },
    }


_COMMANDS = (
    ("/ask", "Ask a question; only you see the answer", "How do I …?"),
    ("/lorebot", "Run Lorebot (admins)", "status | reindex | models | settings | …"),
)


def _command(name: str, description: str, hint: str) -> dict[str, Any]:
    return {
        "command": name,
        "description": description,
        "usage_hint": hint,
        "should_escape": True,
    }
