"""Files attached to a question: downloaded with the bot's token, read and cut, or refused by name.

Read and cut in a process of its own, one question's files at a time: what a file costs, it costs
there. Only the chunks that are searched come into this process.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
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
from bot.serving.model import Cancellation
from bot.slack.rendering.messages import BEGINNING, FILE_MEGABYTES
from indexer.documents import Audience, CutDocument, Document
from indexer.errors import DocumentError, SourceError
from indexer.extraction import KINDS, Cutting, Extractor
from indexer.settings import ExtractionTable

_log = logging.getLogger(__name__)

_SECONDS = 20
_READING_SECONDS = 30.0
_READING_MEGABYTES = 512
_LEAST_CHUNKS = 20
_SECONDS_BETWEEN_LOOKS = 0.1
_HOSTED, _DELETED = ("hosted", "snippet"), "tombstone"
KIND, SIZE, ELSEWHERE, UNREACHABLE = "file_kind", "file_size", "file_elsewhere", "file_unreachable"
LATE = "file_late"


def attached_files(event: dict[str, Any]) -> tuple[AttachedFile, ...]:
    """The files of a message; those of a kind, size or place we cannot read are refused already."""
    return tuple(_file(one) for one in event.get("files") or () if one.get("mode") != _DELETED)


class Attachments:
    """Reads files for one question; nothing of them is kept but what an answer cites."""

    def __init__(
        self, client: WebClient, limits: ExtractionTable, cutting: Cutting | None = None
    ) -> None:
        self._client = client
        self._limits = limits.model_copy(
            update={
                "seconds": min(limits.seconds, _READING_SECONDS),
                "memory_megabytes": _READING_MEGABYTES,
            }
        )
        self._cutting = cutting or Cutting()
        self._one_at_a_time = threading.Lock()

    def read(
        self,
        files: Sequence[AttachedFile],
        readers: Audience,
        cancellation: Cancellation | None = None,
    ) -> tuple[list[CutDocument], tuple[AttachedFile, ...]]:
        """What could be read, for ``readers``; and the files, refused or not.

        Raises Cancelled as soon as a person has stopped it; files for which there is no time left
        are refused.
        """
        cancellation = cancellation or Cancellation()
        if all(file.refusal for file in files):
            return [], tuple(files)
        documents, checked = [], []
        with closing(self._each(files, readers, cancellation)) as each:
            for file, document in each:
                if cancellation.stopped:
                    raise cancellation.reason
                if document:
                    documents.append(document)
                checked.append(file)
        return documents, tuple(checked)

    def _each(
        self, files: Sequence[AttachedFile], readers: Audience, cancellation: Cancellation
    ) -> Generator[tuple[AttachedFile, CutDocument | None], None, None]:
        """Each file, refused or not, with what was read of it."""
        most = max(self._cutting.most_chunks // len(files), _LEAST_CHUNKS)
        with (
            self._turn(cancellation),
            Extractor(
                self._limits, self._cutting, stopped=lambda: cancellation.cancelled
            ) as extractor,
        ):
            for file in files:
                document = None
                try:
                    if not file.refusal and cancellation.expired:
                        raise _Late
                    if not file.refusal:
                        content = cancellation.unless_stopped(lambda file=file: self._fetch(file))  # type: ignore[misc]
                        document = self._cut(extractor, file, content, readers, most)
                        if not document.is_whole:
                            file = replace(file, refusal=BEGINNING)
                except (DocumentError, SourceError) as error:
                    late = cancellation.expired and not cancellation.stopped
                    file = replace(file, refusal=LATE if late else str(error))
                except _Late:
                    file = replace(file, refusal=LATE)
                except _Unreachable as error:
                    _log.warning("An attached file could not be fetched: %s", error)
                    file = replace(file, refusal=UNREACHABLE)
                yield file, document

    @contextmanager
    def _turn(self, cancellation: Cancellation) -> Iterator[None]:
        """However many ask at once, one process reads; raises Cancelled while waiting for it."""
        while not self._one_at_a_time.acquire(timeout=_SECONDS_BETWEEN_LOOKS):
            if cancellation.stopped:
                raise cancellation.reason
        try:
            yield
        finally:
            self._one_at_a_time.release()

    def _cut(
        self,
        extractor: Extractor,
        file: AttachedFile,
        content: bytes,
        readers: Audience,
        most: int,
    ) -> CutDocument:
        document = Document(
            id=f"attachment:{file.id}",
            source="attachment",
            title=file.name,
            text="",
            audience=readers,
            url=file.link,
        )
        return extractor.cut(content, PurePosixPath(file.name).suffix, document, most)

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


class _Late(Exception):
    """The time for the question is up."""


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
