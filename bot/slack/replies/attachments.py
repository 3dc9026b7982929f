"""Files attached to a question: downloaded with the bot's token and read, or refused by name."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from email.message import Message
from http.client import HTTPException
from pathlib import PurePosixPath
from typing import IO, Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from slack_sdk import WebClient

from bot.domain.values import AttachedFile
from bot.slack.rendering.messages import FILE_MEGABYTES
from indexer.documents import Audience, Document
from indexer.errors import DocumentError, SourceError
from indexer.extraction import KINDS, Extractor
from indexer.settings import ExtractionTable

_log = logging.getLogger(__name__)

_SECONDS = 20
_HOSTED, _DELETED = ("hosted", "snippet"), "tombstone"
KIND, SIZE, ELSEWHERE, UNREACHABLE = "file_kind", "file_size", "file_elsewhere", "file_unreachable"


def attached_files(event: dict[str, Any]) -> tuple[AttachedFile, ...]:
    """The files of a message; those of a kind, size or place we cannot read are refused already."""
    return tuple(_file(one) for one in event.get("files") or () if one.get("mode") != _DELETED)


class Attachments:
    """Reads files for one question; nothing of them is kept but what an answer cites."""

    def __init__(self, client: WebClient, limits: ExtractionTable) -> None:
        self._client = client
        self._limits = limits

    def read(
        self, files: Sequence[AttachedFile], readers: Audience
    ) -> tuple[list[Document], tuple[AttachedFile, ...]]:
        """The documents that could be read, for ``readers``; and the files, refused or not."""
        documents, checked = [], []
        for file in files:
            try:
                if not file.refusal:
                    documents.append(self._document(file, readers))
                checked.append(file)
            except (DocumentError, SourceError) as error:
                checked.append(replace(file, refusal=str(error)))
            except _Unreachable as error:
                _log.warning("An attached file could not be fetched: %s", error)
                checked.append(replace(file, refusal=UNREACHABLE))
        return documents, tuple(checked)

    def _document(self, file: AttachedFile, readers: Audience) -> Document:
        content = self._fetch(file)
        with Extractor(self._limits) as extractor:
            extracted = extractor.extract(content, PurePosixPath(file.name).suffix)
        return Document(
            id=f"attachment:{file.id}",
            source="attachment",
            title=file.name,
            text=extracted.text,
            audience=readers,
            url=file.link,
        )

    def _fetch(self, file: AttachedFile) -> bytes:
        """Only from Slack itself, and never after a redirect: the request carries the token."""
        if not self._is_slacks(file.url):
            raise _Unreachable("it is not Slack's own address")
        request = Request(file.url, headers={"Authorization": f"Bearer {self._client.token}"})  # noqa: S310
        try:
            with _opener.open(request, timeout=_SECONDS) as response:
                content: bytes = response.read(FILE_MEGABYTES * 2**20 + 1)
        except (URLError, HTTPException, OSError) as error:
            raise _Unreachable(str(error)) from error
        if len(content) > FILE_MEGABYTES * 2**20:
            raise _Unreachable("it is larger than Slack said")
        return content

    def _is_slacks(self, url: str) -> bool:
        wanted, api = urlsplit(url), urlsplit(self._client.base_url)
        if (wanted.scheme, wanted.netloc) == (api.scheme, api.netloc):
            return True
        host = wanted.hostname or ""
        return wanted.scheme == "https" and (host == "slack.com" or host.endswith(".slack.com"))


class _Unreachable(Exception):
    """Slack does not hand the file over; the message is for the log."""


class _NoRedirects(HTTPRedirectHandler):
    """Without the right to a file, Slack redirects to its sign-in page."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        return None


_opener = build_opener(_NoRedirects)


def _file(shape: dict[str, Any]) -> AttachedFile:
    file = AttachedFile(
        id=str(shape.get("id", "")),
        name=str(shape.get("name") or shape.get("id", "")),
        url=str(shape.get("url_private") or ""),
        link=str(shape.get("permalink") or ""),
        size=int(shape.get("size") or 0),
    )
    if shape.get("is_external") or shape.get("mode") not in _HOSTED:
        return replace(file, refusal=ELSEWHERE)
    if PurePosixPath(file.name).suffix.lower() not in KINDS:
        return replace(file, refusal=KIND)
    if file.size > FILE_MEGABYTES * 2**20:
        return replace(file, refusal=SIZE)
    return file
