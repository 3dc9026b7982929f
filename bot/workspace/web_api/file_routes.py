"""Where files are sent and fetched: with the bot's token, or by a person on the page."""

import logging
from collections.abc import Callable, Mapping
from urllib.parse import quote

from aiohttp import web

from bot.workspace.errors import Refused
from bot.workspace.state.models import File
from bot.workspace.state.workspace_state import WorkspaceState
from bot.workspace.web_api.tokens import Tokens

logger = logging.getLogger(__name__)

UPLOAD_PATH = "/upload/v1"
PRIVATE_PATH = "/files-pri"
SCOPE = "files:read"

_SHOWN = ("image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf", "text/plain")
"""What a browser may show; everything else is only ever downloaded."""


class FileRoutes:
    def __init__(
        self,
        teams: Mapping[str, WorkspaceState],
        tokens: Tokens,
        team_of: Callable[[str], WorkspaceState],
    ) -> None:
        self._teams = teams
        self._tokens = tokens
        self._team_of = team_of

    def routes(self) -> list[web.RouteDef]:
        private = f"{PRIVATE_PATH}/{{team}}-{{file}}"
        return [
            web.post(f"{UPLOAD_PATH}/{{team}}/{{ticket}}", self.receive),
            web.get(f"{private}/download/{{name}}", self.private),
            web.get(f"{private}/{{name}}", self.private),
            web.get("/page-files/{file}", self.shown),
            web.post("/page-files", self.upload),
        ]

    async def receive(self, request: web.Request) -> web.Response:
        """The second step of the bot's upload: the content, to the address it was given."""
        try:
            state = self._state(request.match_info["team"])
            file = state.files.receive(request.match_info["ticket"], await request.read())
        except Refused as refusal:
            return web.Response(status=400, text=refusal.code)
        return web.Response(text=f"OK - {len(file.content)}")

    async def private(self, request: web.Request) -> web.Response:
        """`url_private`: without a good token Slack sends the sign-in page, and so do we."""
        try:
            state = self._state(request.match_info["team"])
            grant = self._tokens.grant(_bearer(request))
            if grant.team_id != state.team_id or SCOPE not in grant.scopes:
                raise Refused("missing_scope")
            file_id = request.match_info["file"]
            if not state.sees_file(state.bot.id, file_id):
                raise Refused("file_not_found")
            file = state.files.file(file_id)
            return _content(file, file.mimetype)
        except Refused as refusal:
            logger.info("A file was asked for without the right to it: %s", refusal.code)
            raise web.HTTPFound(f"/?redir={quote(request.path)}") from None

    async def shown(self, request: web.Request) -> web.Response:
        """A file as a person on the page sees it."""
        person, file_id = request.query.get("person", ""), request.match_info["file"]
        try:
            state = self._team_of(person)
            if not state.sees_file(person, file_id):
                raise Refused("file_not_found")
            file = state.files.file(file_id)
            is_text = file.mimetype.startswith("text/")
            # So that no browser takes an uploaded page or script for one of ours.
            return _content(file, "text/plain" if is_text else file.mimetype)
        except Refused:
            raise web.HTTPNotFound(text="There is no such file.") from None

    async def upload(self, request: web.Request) -> web.Response:
        """A person's upload, to be posted with a message; answers with the file's id."""
        person = request.query.get("person", "")
        if request.content_type != "application/octet-stream":
            raise web.HTTPNotFound
        try:
            files = self._team_of(person).files
            file = files.add(person, request.query.get("name", ""), await request.read())
        except Refused as refusal:
            sentence = _SENTENCES.get(refusal.code, str(refusal))
            return web.json_response({"error": sentence}, status=400)
        except web.HTTPRequestEntityTooLarge:
            sentence = _SENTENCES["file_upload_size_restricted"]
            return web.json_response({"error": sentence}, status=400)
        return web.json_response({"id": file.id, "name": file.name, "size": len(file.content)})

    def _state(self, team_id: str) -> WorkspaceState:
        try:
            return self._teams[team_id]
        except KeyError:
            raise Refused("team_not_found") from None


_SENTENCES = {
    "file_is_empty": "This file is empty.",
    "file_upload_size_restricted": "This file is too large.",
}


def _bearer(request: web.Request) -> str:
    return request.headers.get("Authorization", "").removeprefix("Bearer ").strip()


def _content(file: File, content_type: str) -> web.Response:
    disposition = "inline" if content_type in _SHOWN else "attachment"
    return web.Response(
        body=file.content,
        content_type=content_type,
        charset="utf-8" if content_type.startswith("text/") else None,
        headers={
            "Content-Disposition": f"{disposition}; filename*=UTF-8''{quote(file.name)}",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
        },
    )
