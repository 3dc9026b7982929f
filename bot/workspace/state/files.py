"""The files of a workspace: what people and the bot uploaded, and uploads under way."""

import mimetypes
import secrets
from collections.abc import Callable
from dataclasses import replace

from bot.workspace.errors import Refused
from bot.workspace.state.models import File

FILE_LIMIT = 50 * 2**20
"""Bytes of one file; Slack takes a gigabyte, which no test needs."""

FILES_PER_MESSAGE = 10

_FILETYPES = {"txt": "text", "md": "markdown", "py": "python", "htm": "html", "jpeg": "jpg"}
"""Slack's names where they differ from the name's ending."""


class Files:
    """Files by id, in memory."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._files: dict[str, File] = {}
        self._expected: dict[str, File] = {}

    def file(self, file_id: str) -> File:
        try:
            return self._files[file_id]
        except KeyError:
            raise Refused("file_not_found") from None

    def is_there(self, file_id: str) -> bool:
        return file_id in self._files

    def add(self, user_id: str, name: str, content: bytes) -> File:
        """Keeps a whole file at once, as a person's upload."""
        file = self._complete(self._new(user_id, name), content)
        self._files[file.id] = file
        return file

    def expect(self, user_id: str, name: str, length: int) -> tuple[str, File]:
        """A ticket with which the content of a new file is sent, and the file without it."""
        if length > FILE_LIMIT:
            raise Refused("file_upload_size_restricted")
        ticket, file = secrets.token_urlsafe(24), self._new(user_id, name)
        self._expected[ticket] = file
        return ticket, file

    def receive(self, ticket: str, content: bytes) -> File:
        """Takes in what an earlier ticket was for; the file is not shared by that."""
        file = self._expected.get(ticket)
        if file is None:
            raise Refused("invalid_upload_url")
        file = self._complete(file, content)
        self._expected[ticket] = file
        return file

    def finish(self, file_id: str, title: str = "") -> File:
        """Makes a received file a file of the workspace."""
        for ticket, file in self._expected.items():
            if file.id == file_id and file.content:
                del self._expected[ticket]
                self._files[file_id] = replace(file, title=title or file.title)
                return self._files[file_id]
        raise Refused("file_not_found")

    def delete(self, file_id: str, user_id: str) -> None:
        if self.file(file_id).user != user_id:
            raise Refused("cant_delete_file")
        del self._files[file_id]

    def _new(self, user_id: str, name: str) -> File:
        ending = name.rpartition(".")[2].lower() if "." in name else ""
        mimetype = mimetypes.guess_type(name)[0] or "application/octet-stream"
        if ending == "md":
            mimetype = "text/markdown"  # not every system's table knows it
        filetype = _FILETYPES.get(ending, ending or "binary")
        id_ = f"F{secrets.token_hex(5).upper()}"
        return File(id_, name, name, user_id, int(self._clock()), mimetype, filetype, b"")

    def _complete(self, file: File, content: bytes) -> File:
        if not content:
            raise Refused("file_is_empty")
        if len(content) > FILE_LIMIT:
            raise Refused("file_upload_size_restricted")
        return replace(file, content=content)
