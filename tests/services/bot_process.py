"""What a process of the bot is told in its environment, to serve a local workspace."""

from __future__ import annotations

import os
from pathlib import Path

from bot.workspace import Workspace


def slack_variables(workspace: Workspace) -> dict[str, str]:
    """Where Slack is, and who the bot is there."""
    return {
        "LOREBOT_SLACK_API_URL": workspace.api_url,
        "LOREBOT_SLACK_BOT_TOKEN": workspace.bot_token,
        "LOREBOT_SLACK_APP_TOKEN": workspace.app_token,
    }


def bot_environment(workspace: Workspace, folder: Path, documents: Path) -> dict[str, str]:
    """With everything of its own in ``folder``, answering from ``documents``, which are public."""
    configuration = folder / "lorebot.toml"
    configuration.write_text(
        f'[[sources]]\nname = "handbook"\npath = "{documents}"\naudience = "public"\n'
    )
    return {
        **os.environ,
        "LOREBOT_CONFIG": str(configuration),
        "LOREBOT_DATA_DIR": str(folder / "data"),
        **slack_variables(workspace),
    }
