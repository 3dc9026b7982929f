"""What was said in the Slack channels that the bot is a member of."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path, PurePosixPath

from indexer.documents import Audience, Document
from indexer.errors import DocumentError, SourceError
from indexer.extraction import KINDS
from indexer.settings import ExtractionTable, SlackSource
from indexer.sources.base import Unreadable
from indexer.sources.extracts import Extracts
from indexer.sources.memory import Remembered, SourceMemory
from indexer.sources.slack_client import Payload, SlackClient
from indexer.sources.slack_messages import (
    first_line,
    is_speech,
    is_talk_with_bot_alone,
    moment,
    spoken,
)

_A_DAY = 24 * 60 * 60
_FILES_ARE_BELIEVED = 30 * _A_DAY
"""Slack's files hardly ever change under their id."""


class SlackHistory:
    """A document for each thread, for each day's messages outside threads, and for each file.

    Only members of a channel may read what was said there. ``read`` goes through the whole history
    of every channel, so that edits and deletions follow and late replies are found; old threads
    that look unchanged are taken from ``memory`` where ``reread_days`` allows it. It raises
    SourceError when one channel cannot be read: nothing is deleted then.
    """

    def __init__(
        self,
        table: SlackSource,
        limits: ExtractionTable | None = None,
        memory: Path | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = table.name
        self._table = table
        self._limits = limits or ExtractionTable()
        self._memory = memory
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
            SourceMemory(self._memory) as memory,
            Extracts(self._limits, memory, self._clock, _FILES_ARE_BELIEVED) as extracts,
        ):
            reading = _Reading(self._table, client, memory, extracts, self._limits, self._clock())
            for channel in channels:
                yield from reading.channel(channel)
            memory.forget_all_but(reading.known | extracts.asked)

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
    """One pass over the channels; ``known`` are the keys of its memory that are still needed."""

    def __init__(
        self,
        table: SlackSource,
        client: SlackClient,
        memory: SourceMemory,
        extracts: Extracts,
        limits: ExtractionTable,
        now: float,
    ) -> None:
        self.known: set[str] = set()
        self._table = table
        self._client = client
        self._memory = memory
        self._extracts = extracts
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
        for day, messages in groupby(alone, key=lambda message: moment(message["ts"]).date()):
            kept = [
                message
                for message in messages
                if is_speech(message, self._own)
                and not is_talk_with_bot_alone([message], self._own)
            ]
            yield from self._document(channel, str(day), f"#{channel['name']} on {day}", kept)
        for file in files.values():
            yield self._file(channel, file)

    def _thread(self, channel: Payload, thread: Sequence[Payload]) -> Iterator[Document]:
        root = thread[0]["ts"]
        if not is_talk_with_bot_alone(thread, self._own):
            first = next((each for each in thread if is_speech(each, self._own)), thread[0])
            said = first_line(first, self._client.name) or f"{moment(root):%Y-%m-%d}"
            yield from self._document(channel, root, f"#{channel['name']}: {said}", thread)

    def _document(
        self, channel: Payload, key: str, title: str, messages: Sequence[Payload]
    ) -> Iterator[Document]:
        """One document, or none where nobody says anything."""
        speech = [message for message in messages if is_speech(message, self._own)]
        parts = [part for message in speech if (part := spoken(message, self._client.name))]
        if parts:
            yield Document(
                id=f"{self._table.name}:{channel['id']}/{key}",
                source=self._table.name,
                title=title,
                text="\n\n".join(parts),
                audience=Audience.of(f"slack_channel:{channel['id']}"),
                url=self._permalink(channel["id"], messages[0]["ts"]),
                modified=moment(speech[-1]["ts"]),
            )

    def _replies(self, channel: str, root: Payload) -> list[Payload]:
        """From memory only for an old thread whose root and latest reply are as they were."""
        days, key = self._table.reread_days, f"thread {channel}/{root['ts']}"
        self.known.add(key)
        latest = float(root.get("latest_reply") or self._now)
        signs = [root.get(sign) for sign in ("reply_count", "latest_reply", "edited", "text")]
        fingerprint = hashlib.sha256(json.dumps(signs).encode()).hexdigest()
        if days is not None and self._now - latest > days * _A_DAY:
            known = self._memory.recall(key)
            if known is not None and known.fingerprint == fingerprint:
                remembered: list[Payload] = json.loads(known.value)
                return remembered
        replies = self._client.replies(channel, root["ts"])
        if days is not None:
            value = json.dumps(replies)
            self._memory.remember(key, Remembered(fingerprint, "", self._now, value))
        return replies

    def _permalink(self, channel: str, ts: str) -> str:
        """Asked for once: a message's address does not change."""
        key = f"link {channel}/{ts}"
        self.known.add(key)
        known = self._memory.recall(key)
        if known is not None:
            return known.value
        link = self._client.permalink(channel, ts)
        if link:
            self._memory.remember(key, Remembered("", "", self._now, link))
        return link

    def _files(self, messages: Sequence[Payload]) -> dict[str, Payload]:
        """By id, those kept by Slack that hold text."""
        return {
            file["id"]: file
            for message in messages
            if is_speech(message, self._own)
            for file in message.get("files") or ()
            if _suffix(file) and file.get("url_private") and not file.get("is_external")
        }

    def _file(self, channel: Payload, file: Payload) -> Document | Unreadable:
        identifier = f"{self._table.name}:{channel['id']}/{file['id']}"
        address, name = str(file["url_private"]), str(file.get("name") or file["id"])
        try:
            extracted = self._extracts.of(
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
            modified=moment(str(file["timestamp"])) if file.get("timestamp") else None,
        )


def _suffix(file: Payload) -> str:
    """The suffix by which a file is extracted, or nothing."""
    suffix = PurePosixPath(str(file.get("name") or "")).suffix.lower()
    if suffix in KINDS:
        return suffix
    return ".txt" if str(file.get("mimetype") or "").startswith("text/") else ""
