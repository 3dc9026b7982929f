"""What is missing before the start, each in a sentence that says where it is."""

from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from bot.domain.errors import BotSettingsError, SlackError
from bot.domain.settings import SlackTable
from bot.records.installations import new_token_key
from bot.slack.connection.tokens import check_tokens
from bot.workspace import Workspace

INSTALLABLE = {
    "signing_secret": SecretStr("s"),
    "client_id": "1.2",
    "client_secret": SecretStr("c"),
    "url": "https://lore.example.com",
    "token_keys": SecretStr(new_token_key()),
    "workspaces": ("T1",),
}


@pytest.fixture(scope="module")
def workspace() -> Iterator[Workspace]:
    with Workspace() as running:
        yield running


@pytest.mark.parametrize("missing", [key for key in INSTALLABLE if key != "client_id"])
def test_installing_needs_everything(missing: str) -> None:
    check_tokens(SlackTable(mode="http", **INSTALLABLE))  # type: ignore[arg-type]
    rest = {key: value for key, value in INSTALLABLE.items() if key != missing}
    with pytest.raises(SlackError, match=f"LOREBOT_SLACK_{missing.upper()}"):
        check_tokens(SlackTable(mode="http", **rest))  # type: ignore[arg-type]


def test_a_key_that_is_none_is_refused_before_the_start() -> None:
    settings = INSTALLABLE | {"token_keys": SecretStr("none")}
    with pytest.raises(BotSettingsError, match="token_keys"):
        check_tokens(SlackTable(mode="http", **settings))  # type: ignore[arg-type]


def test_tokens_are_shown_to_slack_first(workspace: Workspace) -> None:
    given = SlackTable(
        bot_token=SecretStr(workspace.bot_token),
        app_token=SecretStr(workspace.app_token),
        api_url=workspace.api_url,
    )
    check_tokens(given)
    with pytest.raises(SlackError, match="refuses the bot token"):
        check_tokens(given.model_copy(update={"bot_token": SecretStr("xoxb-other")}))
    with pytest.raises(SlackError, match="refuses the app token"):
        check_tokens(given.model_copy(update={"app_token": SecretStr("xapp-other")}))
    http = given.model_copy(update={"mode": "http", "app_token": SecretStr("")})
    with pytest.raises(SlackError, match="LOREBOT_SLACK_SIGNING_SECRET"):
        check_tokens(http)
    check_tokens(http.model_copy(update={"signing_secret": SecretStr("s")}))


def test_a_token_of_another_kind_is_named() -> None:
    with pytest.raises(SlackError, match="begins with xoxb-"):
        check_tokens(SlackTable())
    with pytest.raises(SlackError, match="does not begin with xoxb-"):
        check_tokens(SlackTable(bot_token=SecretStr("xapp-1")))
