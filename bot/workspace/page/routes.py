"""How the page reaches its workspace: the document, the actions and the feed, guarded."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol
from urllib.parse import urlencode, urlsplit

from aiohttp import web

from bot.workspace.errors import Refused, WorkspaceError
from bot.workspace.page.api import PageApi
from bot.workspace.page.feed import Feed

PAGE = Path(__file__).parent / "assets"

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Workplace(Protocol):
    """A workspace as its page sees it."""

    @property
    def page_api(self) -> PageApi: ...

    @property
    def feed(self) -> Feed: ...


class PageRoutes:
    """The workspace of the person who acts. A page may act as any person here."""

    def __init__(self, workplace_of: Callable[[str], Workplace]) -> None:
        self._workplace_of = workplace_of

    async def act(self, request: web.Request) -> web.Response:
        """POST /page-api/<action> with a JSON object that names its `person`.

        200 with what the action returns, or 400 with `error`, a sentence for the person.
        """
        # A JSON body cannot be posted from another site without asking, and it gets no answer.
        if request.content_type != "application/json":
            raise web.HTTPNotFound
        try:
            body = await request.json()
            action = self._of(body["person"]).page_api.action(request.match_info["action"])
            return web.json_response(await action(body))
        except WorkspaceError as error:
            return web.json_response({"error": str(error)}, status=400)
        except KeyError as error:
            return web.json_response({"error": f"The request lacks {error}."}, status=400)
        except (ValueError, TypeError, AttributeError, RecursionError):
            return web.json_response({"error": "The request is not what a page sends."}, status=400)

    async def feed(self, request: web.Request) -> web.StreamResponse:
        """A WebSocket. An unknown person's page hears so: it never sees the status of a refusal."""
        try:
            feed = self._of(request.query.get("person", "")).feed
        except WorkspaceError as error:
            socket = web.WebSocketResponse()
            if not socket.can_prepare(request).ok:
                raise web.HTTPNotFound(text=str(error)) from None
            await socket.prepare(request)
            await socket.send_json({"type": "refused", "error": str(error)})
            await socket.close()
            return socket
        return await feed.handle(request)

    def _of(self, person: object) -> Workplace:
        try:
            return self._workplace_of(str(person))
        except Refused:
            raise WorkspaceError(f"There is no person {person!r} in this workspace.") from None


async def index(request: web.Request) -> web.FileResponse:
    return web.FileResponse(
        PAGE / "index.html",
        headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY},
    )


async def permalink(request: web.Request) -> web.Response:
    """Slack's address of a message: the page, with its thread open."""
    digits = request.match_info["microseconds"]
    thread = f"{digits[:-6]}.{digits[-6:]}"
    query = urlencode({"channel": request.match_info["channel"], "thread": thread})
    raise web.HTTPFound(f"/?{query}")


@web.middleware
async def only_from_here(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Refuses other sites a browser may have open: by name of the host and by origin."""
    host = urlsplit(f"//{request.host}").hostname
    origin = request.headers.get("Origin")
    if host not in ("127.0.0.1", "localhost", "::1"):
        raise web.HTTPForbidden(text="This workspace answers on this machine only.")
    if origin is not None and urlsplit(origin).netloc != request.host:
        raise web.HTTPForbidden(text="This workspace answers its own page only.")
    return await handler(request)
