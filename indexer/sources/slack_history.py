"""Messages and files of the Slack channels that the bot is a member of, as documents."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from html import unescape
from itertools import groupby
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from indexer.chunking.markdown import plain
from indexer.documents import Audience, Document
from indexer.errors import DocumentError, SourceError
from indexer.extraction import KINDS
from indexer.settings import ExtractionTable, SlackSource
from indexer.sources.base import Unreadable
from indexer.sources.cache import CachedExtractor, CacheEntry, SourceCache
from indexer.sources.slack_client import Payload, SlackClient

Names = Callable[[str], str]
"""From a user's id to the display name."""

_CONTENT = {"", "bot_message", "file_share", "me_message", "thread_broadcast"}
"""Subtypes of messages with content; the others report events such as joining a channel."""
_LINKED = ("https://", "http://", "mailto:")
_KEPT = "%/:?#[]@!$&'*+,;=~"
"""Of an address, what is not percent-encoded; parentheses are, since they end a Markdown link."""
_LINKED = ("https://", "http://", "mailto:")
_KEPT = "%/:?#[]@!$&'*+,;=~"
"""Of an address, what is not percent-encoded; parentheses are, since they end a Markdown link."""
_MARKUP = re.compile(r"<([@#!]?)([^<>|]*)(?:\|([^<>]*))?>")
_MAX_TITLE_LENGTH = 100

_DAY = 24 * 60 * 60
_TRUST_FILES_SECONDS = 30 * _DAY
"""Slack's files hardly ever change under their id."""


class SlackHistory:
    """A document per thread, per day of messages outside threads, and per file.

    Only members of a channel may read its documents. ``read`` goes through the whole history of
    every channel, so that edits, deletions and late replies are found; old threads that look
    unchanged are taken from the cache where ``reread_days`` allows it. It raises SourceError when
    one channel cannot be read: nothing is deleted then.
    """

    def __init__(
        self,
        table: SlackSource,
        limits: ExtractionTable | None = None,
        cache_path: Path | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = table.name
        self._table = table
        self._limits = limits or ExtractionTable()
        self._cache_path = cache_path
        self._clock = clock

    def read(self) -> Iterator[Document | Unreadable]:
        token = self._table.token.get_secret_value()
        if not token:
            raise SourceError(
                f"Source {self.name}: there is no token; set LOREBOT_SLACK_BOT_TOKEN, or the "
                'source\'s token = {env = "NAME"}.'
            )
        client = SlackClient(self.name, token, self._table.api_url)
        channels = self._channels(client)
        with (
            SourceCache(self._cache_path) as cache,
            CachedExtractor(self._limits, cache, self._clock, _TRUST_FILES_SECONDS) as extractor,
        ):
            reading = _Reading(self._table, client, cache, extractor, self._limits, self._clock())
            for channel in channels:
                yield from reading.channel(channel)
            cache.remove_all_but(reading.used_keys | extractor.used_keys)

    def _channels(self, client: SlackClient) -> list[Payload]:
        found = {str(channel["id"]): channel for channel in client.channels()}
        missing = [each for each in self._table.channels if each not in found]
        if missing:
            raise SourceError(
                f"Source {self.name}: the bot is no member of {', '.join(missing)}; invite it "
                "there (/invite), or take the channel out of the settings."
            )
        if not found:
            raise SourceError(
                f"Source {self.name}: the bot is in no channel; invite it (/invite) into those "
                "it shall know, or remove the source from the settings."
            )
        return [found[each] for each in self._table.channels] or list(found.values())


class _Reading:
    """One pass over the channels; ``used_keys`` are those of its cache that are still needed."""

    def __init__(
        self,
        table: SlackSource,
        client: SlackClient,
        cache: SourceCache,
        extractor: CachedExtractor,
        limits: ExtractionTable,
        now: float,
    ) -> None:
        self.used_keys: set[str] = set()
        self._table = table
        self._client = client
        self._cache = cache
        self._extractor = extractor
        self._most = limits.file_megabytes * 2**20
        self._now = now
        self._own = client.own_ids()

    def channel(self, channel: Payload) -> Iterator[Document | Unreadable]:
        identifier, files = channel["id"], dict[str, Payload]()
        history = list(self._client.history(identifier))[::-1]
        alone = []
        for message in history:
            if message.get("reply_count"):
                thread = [message, *self._replies(identifier, message)]
                yield from self._thread(channel, thread)
                files |= self._files(thread)
            # A reply that was also sent to the channel belongs to its thread.
            elif message.get("thread_ts", message["ts"]) == message["ts"]:
                alone.append(message)
                files |= self._files([message])
        for day, messages in groupby(alone, key=lambda message: _sent_at(message["ts"]).date()):
            kept = [
                message
                for message in messages
                if is_content(message, self._own)
                and not _is_monologue_with_bot([message], self._own)
            ]
            yield from self._document(channel, str(day), f"#{channel['name']} on {day}", kept)
        for file in files.values():
            yield self._file(channel, file)

    def _thread(self, channel: Payload, thread: Sequence[Payload]) -> Iterator[Document]:
        root = thread[0]["ts"]
        if not _is_monologue_with_bot(thread, self._own):
            first = next((each for each in thread if is_content(each, self._own)), thread[0])
            said = first_line(first, self._client.name) or f"{_sent_at(root):%Y-%m-%d}"
            yield from self._document(channel, root, f"#{channel['name']}: {said}", thread)

    def _document(
        self, channel: Payload, key: str, title: str, messages: Sequence[Payload]
    ) -> Iterator[Document]:
        """One document, or none where no message has text."""
        content = [message for message in messages if is_content(message, self._own)]
        parts = [part for message in content if (part := as_markdown(message, self._client.name))]
        if parts:
            yield Document(
                id=f"{self._table.name}:{channel['id']}/{key}",
                source=self._table.name,
                title=title,
                text="\n\n".join(parts),
                audience=Audience.of(f"slack_channel:{channel['id']}"),
                url=self._permalink(channel["id"], messages[0]["ts"]),
                modified=_sent_at(content[-1]["ts"]),
            )

    def _replies(self, channel: str, root: Payload) -> list[Payload]:
        """From the cache only for an old thread whose root and latest reply have not changed."""
        days, key = self._table.reread_days, f"thread {channel}/{root['ts']}"
        self.used_keys.add(key)
        latest = float(root.get("latest_reply") or self._now)
        signs = [root.get(sign) for sign in ("reply_count", "latest_reply", "edited", "text")]
        fingerprint = hashlib.sha256(json.dumps(signs).encode()).hexdigest()
        if days is not None and self._now - latest > days * _DAY:
            known = self._cache.get(key)
            if known is not None and known.fingerprint == fingerprint:
                replies: list[Payload] = json.loads(known.value)
                return replies
        replies = self._client.replies(channel, root["ts"])
        if days is not None:
            value = json.dumps(replies)
            self._cache.put(key, CacheEntry(fingerprint, "", self._now, value))
        return replies

    def _permalink(self, channel: str, ts: str) -> str:
        """Asked for once per message, whose address does not change."""
        key = f"link {channel}/{ts}"
        self.used_keys.add(key)
        known = self._cache.get(key)
        if known is not None:
            return known.value
        link = self._client.permalink(channel, ts)
        if link:
            self._cache.put(key, CacheEntry("", "", self._now, link))
        return link

    def _files(self, messages: Sequence[Payload]) -> dict[str, Payload]:
        """By id: files that Slack itself keeps and whose text can be extracted."""
        return {
            file["id"]: file
            for message in messages
            if is_content(message, self._own)
            for file in message.get("files") or ()
            if _suffix(file) and file.get("url_private") and not file.get("is_external")
        }

    def _file(self, channel: Payload, file: Payload) -> Document | Unreadable:
        identifier = f"{self._table.name}:{channel['id']}/{file['id']}"
        address, name = str(file["url_private"]), str(file.get("name") or file["id"])
        try:
            extracted = self._extractor.extract(
                f"file {channel['id']}/{file['id']}",
                f"{file.get('size')} {file.get('timestamp')} {file.get('updated')}",
                int(file.get("size") or 0),
                _suffix(file),
                lambda: self._client.download(address, self._most),
            )
        except DocumentError as error:
            return Unreadable(identifier, f"{name} in #{channel['name']}: {error}")
        return Document(
            id=identifier,
            source=self._table.name,
            title=str(file.get("title") or extracted.title or name),
            text=extracted.text,
            audience=Audience.of(f"slack_channel:{channel['id']}"),
            url=str(file.get("permalink") or ""),
            modified=_sent_at(str(file["timestamp"])) if file.get("timestamp") else None,
        )


def _suffix(file: Payload) -> str:
    """The suffix that chooses the file's reader, empty if there is none."""
    suffix = PurePosixPath(str(file.get("name") or "")).suffix.lower()
    if suffix in KINDS:
        return suffix
    return ".txt" if str(file.get("mimetype") or "").startswith("text/") else ""


def is_content(message: Payload, own: frozenset[str]) -> bool:
    """Whether a message is content by a person or another bot: no event, not by this bot."""
    return message.get("subtype", "") in _CONTENT and _speaker_ids(message).isdisjoint(own)


def _is_monologue_with_bot(thread: Sequence[Payload], own: frozenset[str]) -> bool:
    """Whether one person alone talks with the bot: such questions, found again, answer nothing."""
    speakers = {_speaker(message) for message in thread if is_content(message, own)}
    addressed = any(
        not _speaker_ids(message).isdisjoint(own)
        or any(f"<@{each}" in message.get("text", "") for each in own)
        for message in thread
    )
    return addressed and len(speakers) <= 1


def _speaker_ids(message: Payload) -> set[str]:
    return {str(message.get(key)) for key in ("user", "bot_id") if message.get(key)}


def _sent_at(ts: str) -> datetime:
    return datetime.fromtimestamp(float(ts), UTC)


def as_markdown(message: Payload, names: Names) -> str:
    """``Alice (2025-01-31 14:05): her message``, in UTC; empty for a message without text."""
    text = message_text(message, names)
    if not text:
        return ""
    speaker = _bot_name(message) or names(_speaker(message))
    return f"{speaker} ({_sent_at(message['ts']):%Y-%m-%d %H:%M}): {text}"


def message_text(message: Payload, names: Names) -> str:
    """A message's own text, or else the fallback texts of its attachments."""
    text = str(message.get("text") or "")
    if not text.strip():
        fallbacks = (each.get("fallback") for each in message.get("attachments") or ())
        text = "\n".join(str(each) for each in fallbacks if each)
    return unescape(_MARKUP.sub(lambda found: _shown(found, names), text)).strip()


def first_line(message: Payload, names: Names) -> str:
    """The first line that is not blank, as plain text, cut between words at 100 characters."""
    first = next((line for line in message_text(message, names).splitlines() if line.strip()), "")
    words = plain(first.lstrip("#> ").strip("`"))
    if len(words) <= _MAX_TITLE_LENGTH:
        return words
    return words[:_MAX_TITLE_LENGTH].rsplit(" ", 1)[0] + " …"


def _speaker(message: Payload) -> str:
    return str(message.get("user") or message.get("bot_id") or "")


def _bot_name(message: Payload) -> str:
    profile = message.get("bot_profile") or {}
    name = profile.get("name") or message.get("username")
    return str(name or ("a bot" if not message.get("user") else ""))


def _shown(found: re.Match[str], names: Names) -> str:
    """``<@U1>``, ``<#C1|help>``, ``<!here>`` and ``<https://…|words>`` as Slack displays them."""
    kind, target, label = found.groups()
    if kind == "@":
        return f"@{names(target)}"
    if kind == "#":
        return f"#{label or target}"
    if kind == "!":
        return label or f"@{target.partition('^')[0]}"
    return _link(label, target) if label else target


def _link(label: str, target: str) -> str:
    """In Markdown, where the label and the address cannot end the link early.

    Other than addresses of pages and people nothing is linked: the label says what it was.
    """
    if not target.startswith(_LINKED):
        return label
    escaped = re.sub(r"[\\\[\]`]", r"\\\g<0>", " ".join(label.split()))
    return f"[{escaped}]({quote(target, safe=_KEPT)})"
