"""Slack: tokens, scopes, the clock, and the people and channels that the settings name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from slack_sdk import WebClient

from bot.domain.errors import BotSettingsError, SlackError
from bot.domain.settings import Settings
from bot.operations.doctor.finding import Finding, well, wrong
from bot.slack.connection.calls import SlackCallFailed, slack_call
from bot.slack.connection.clients import web_client
from bot.slack.connection.manifest import SCOPES
from bot.slack.connection.tokens import check_tokens
from indexer.settings import FilesSource, LlamaHubSource, SlackSource

# Slack's own tolerance for the timestamp of what it signs is five minutes.
_MOST_SECONDS_APART = 60
_NEVER_ADMINS = ("deleted", "is_bot", "is_restricted", "is_ultra_restricted")


def slack(settings: Settings) -> Iterator[Finding]:
    """Slack takes the tokens, they may do what is needed, and the names in the settings exist."""
    table = settings.slack
    if table.is_distributed and not table.url.startswith("https://"):
        mend = "Set [slack] url to https://…, where your proxy ends TLS."
        yield wrong("slack", f"[slack] url is {table.url!r}, and Slack posts to https alone.", mend)
    try:
        check_tokens(table)
    except SlackCallFailed as error:
        yield wrong("slack", str(error), _advice(error, table.api_url))
        return
    except (SlackError, BotSettingsError) as error:
        yield wrong("slack", str(error), "Paste the right one from https://api.slack.com/apps.")
        return
    if table.is_distributed:
        yield well("slack", "All that installing by OAuth needs is set.")
        return
    client = web_client(table)
    try:
        with slack_call("check the token"):
            answer = client.auth_test()
        yield from of_answer(answer.headers, datetime.now(UTC))
        yield from _admins(settings, client)
        yield from _channels(settings, client)
    except SlackCallFailed as error:
        yield wrong("slack", str(error), _advice(error, table.api_url))


def _advice(error: SlackCallFailed, api_url: str) -> str:
    if error.reason and error.temporary:
        return "Try again; see https://slack-status.com if it stays."
    if error.reason:
        return "Paste the token of an installed app from https://api.slack.com/apps."
    return (
        f"Let this machine reach {api_url}: see its name resolution, its firewall and, where there "
        f"is a proxy, HTTPS_PROXY; `curl {api_url}api.test` must answer. Where it does, see "
        "https://slack-status.com."
    )


def of_answer(headers: Mapping[str, str], now: datetime) -> Iterator[Finding]:
    """What an answer's headers tell: the token's scopes, and the time at Slack."""
    told = {name.lower(): value for name, value in headers.items()}
    missing = sorted(set(SCOPES) - set(told.get("x-oauth-scopes", "").replace(" ", "").split(",")))
    if missing:
        yield wrong(
            "slack",
            f"The bot token lacks the scopes {', '.join(missing)}.",
            "At https://api.slack.com/apps › App Manifest paste what `lorebot manifest` prints, "
            "then install the app again.",
        )
    else:
        yield well("slack", "Slack takes the tokens, and they have every scope.")
    if date := told.get("date"):
        apart = abs((now - parsedate_to_datetime(date)).total_seconds())
        if apart > _MOST_SECONDS_APART:
            yield wrong(
                "clock",
                f"This machine's clock and Slack's are {apart:.0f} seconds apart.",
                "Let the clock be set over the network (systemd-timesyncd, chrony).",
            )
        else:
            yield well("clock", "This machine's clock is right.")


def _admins(settings: Settings, client: WebClient) -> Iterator[Finding]:
    for admin in settings.slack.admins:
        mend = "Correct [slack] admins: ids are under a person's profile › ⋮ › Copy member ID."
        try:
            with slack_call(f"say who {admin} is"):
                found = client.users_info(user=admin)["user"]
        except SlackCallFailed as error:
            if error.temporary:
                raise
            yield wrong("slack", f"[slack] admins: {error}", mend)
            continue
        reasons = [flag for flag in _NEVER_ADMINS if found.get(flag)]
        if reasons:
            yield wrong("slack", f"[slack] admins: {admin} may never be one ({reasons[0]}).", mend)
        else:
            yield well("slack", f"{admin} is a person who may be an admin.")


def _channels(settings: Settings, client: WebClient) -> Iterator[Finding]:
    """Where the bot posts or reads it has to be a member; audiences have to exist."""
    posts, reads, shows = settings.slack.digest_channel, set[str](), set[str]()
    for table in settings.sources:
        if isinstance(table, SlackSource):
            reads |= set(table.channels)
        elif isinstance(table, FilesSource | LlamaHubSource):
            shows |= _channels_of(table)
    for channel in sorted({posts, *reads, *shows} - {""}):
        yield _channel(client, channel, must_join=channel == posts or channel in reads)


def _channels_of(table: FilesSource | LlamaHubSource) -> set[str]:
    named = set(table.audience)
    if isinstance(table, FilesSource):
        named |= {principal for each in table.audiences.values() for principal in each}
    prefix = "slack_channel:"
    return {each.removeprefix(prefix) for each in named if each.startswith(prefix)}


def _channel(client: WebClient, channel: str, *, must_join: bool) -> Finding:
    try:
        with slack_call(f"describe the channel {channel}"):
            found = client.conversations_info(channel=channel)["channel"]
    except SlackCallFailed as error:
        if error.temporary:
            raise
        mend = "Correct the channel's id in lorebot.toml, or invite the bot: /invite @Lorebot."
        return wrong("slack", str(error), mend)
    problems: dict[str, Callable[[], bool]] = {
        "is archived": lambda: bool(found.get("is_archived")),
        "has not invited the bot": lambda: must_join and not found.get("is_member"),
    }
    for problem, is_so in problems.items():
        if is_so():
            mend = "Invite the bot there (/invite @Lorebot), or name another channel."
            return wrong("slack", f"The channel {channel} {problem}.", mend)
    return well("slack", f"The channel {channel} is there.")
