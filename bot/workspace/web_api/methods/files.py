"""files.*: what the bot uploads, in Slack's two steps, and what it asks about files."""

from bot.workspace.errors import Refused
from bot.workspace.state.files import FILES_PER_MESSAGE
from bot.workspace.state.models import Payload
from bot.workspace.state.workspace_state import WorkspaceState
from bot.workspace.web_api.api import Method
from bot.workspace.web_api.arguments import Arguments
from bot.workspace.web_api.file_routes import UPLOAD_PATH
from bot.workspace.wire.shapes import file_shape


class FileMethods:
    def __init__(self, state: WorkspaceState) -> None:
        self._state = state

    def table(self) -> dict[str, Method]:
        return {
            "files.getUploadURLExternal": self.get_upload_url,
            "files.completeUploadExternal": self.complete_upload,
            "files.info": self.info,
            "files.delete": self.delete,
        }

    def get_upload_url(self, arguments: Arguments) -> Payload:
        length = arguments.number("length", 0, maximum=2**62)
        if not length:
            raise Refused("invalid_arguments", ["[ERROR] missing required field: length"])
        ticket, file = self._state.files.expect(
            self._state.bot.id, arguments.required("filename"), length
        )
        url = f"{self._state.url.rstrip('/')}{UPLOAD_PATH}/{self._state.team_id}/{ticket}"
        return {"upload_url": url, "file_id": file.id}

    def complete_upload(self, arguments: Arguments) -> Payload:
        """Shares the uploaded files where a channel is named; else they stay the bot's own."""
        wanted = arguments.structure("files")
        if not isinstance(wanted, list) or not 0 < len(wanted) <= FILES_PER_MESSAGE:
            raise Refused("invalid_arguments", [f"[ERROR] files: 1 to {FILES_PER_MESSAGE}"])
        channels = arguments.words("channels") or arguments.words("channel_id")
        for channel_id in channels:
            self._state.joined_channel(channel_id, self._state.bot.id)
        ids = [
            self._state.files.finish(str(each.get("id")), str(each.get("title") or "")).id
            for each in wanted
        ]
        for channel_id in channels:
            self._state.post(
                channel_id,
                self._state.bot.id,
                arguments.text("initial_comment"),
                thread_ts=arguments.text("thread_ts") or None,
                files=ids,
            )
        return {"files": [file_shape(self._state, file_id) for file_id in ids]}

    def info(self, arguments: Arguments) -> Payload:
        file_id = arguments.required("file")
        if not self._state.sees_file(self._state.bot.id, file_id):
            raise Refused("file_not_found")
        return {"file": file_shape(self._state, file_id), "comments": []}

    def delete(self, arguments: Arguments) -> Payload:
        self._state.files.delete(arguments.required("file"), self._state.bot.id)
        return {}
