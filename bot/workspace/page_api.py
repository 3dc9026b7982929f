"""What the page calls when a person does something. Anybody may act as anybody here."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

from aiohttp import web

from bot.workspace.changes import HomeOpened
from bot.workspace.composing import wire_text
from bot.workspace.errors import WorkspaceError
from bot.workspace.feed import Feed
from bot.workspace.interactions import Interactions
from bot.workspace.models import Payload
from bot.workspace.page_shapes import PageShapes
from bot.workspace.state import WorkspaceState
from bot.workspace.streams import Streams

PAGE = Path(__file__).parent / "page"

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

Action: TypeAlias = Callable[[Payload], Awaitable[Payload]]


class PageApi:
    """POST /page-api/<action> with a JSON object that names its `person`."""

    def __init__(
        self,
        state: WorkspaceState,
        streams: Streams,
        interactions: Interactions,
        shapes: PageShapes,
        feed: Feed,
    ) -> None:
        self._state = state
        self._streams = streams
        self._interactions = interactions
        self._shapes = shapes
        self._feed = feed
        self._actions: dict[str, Action] = {
            "post": self.post,
            "react": self.react,
            "click": self.click,
            "click-view": self.click_view,
            "submit": self.submit,
            "close-view": self.close_view,
            "open-tab": self.open_tab,
            "stop": self.stop,
            "dismiss": self.dismiss,
            "read": self.read,
        }

    async def handle(self, request: web.Request) -> web.Response:
        """200 with what an action returns, or 400 with `error`, a sentence for the person."""
        action = self._actions.get(request.match_info["action"])
        # A JSON body cannot be posted from another site without asking, and nobody answers.
        if action is None or request.content_type != "application/json":
            raise web.HTTPNotFound
        try:
            return web.json_response(await action(await request.json()))
        except WorkspaceError as error:
            return web.json_response({"error": str(error)}, status=400)
        except (KeyError, json.JSONDecodeError) as error:
            return web.json_response({"error": f"The request lacks {error}."}, status=400)

    async def post(self, body: Payload) -> Payload:
        """Posts what a person typed; text that starts with "/" is a slash command."""
        typed = str(body["text"]).strip()
        if not typed:
            raise WorkspaceError("Write something first.")
        if typed.startswith("/"):
            command, _, text = typed.partition(" ")
            await self._interactions.command(
                body["person"], body["channel"], command, wire_text(self._state, text)
            )
            return {}
        message = self._state.post(
            body["channel"],
            body["person"],
            wire_text(self._state, typed),
            thread_ts=body.get("thread_ts"),
        )
        return {"ts": message.ts}

    async def react(self, body: Payload) -> Payload:
        """Adds a person's reaction, or takes it back where it is already there."""
        person, channel, ts = body["person"], body["channel"], body["ts"]
        reactions = self._state.message(channel, ts).reactions
        users = next((each.users for each in reactions if each.name == body["name"]), ())
        change = self._state.unreact if person in users else self._state.react
        change(channel, ts, person, body["name"])
        return {}

    async def click(self, body: Payload) -> Payload:
        await self._interactions.click(
            body["person"], body["channel"], body["ts"], body["action_id"], body.get("value")
        )
        return {}

    async def click_view(self, body: Payload) -> Payload:
        await self._interactions.click_in_view(
            body["person"],
            body["view_id"],
            body["action_id"],
            body.get("value"),
            body.get("answers"),
        )
        return {}

    async def submit(self, body: Payload) -> Payload:
        problems = await self._interactions.submit(body["person"], body["view_id"], body["answers"])
        return {"errors": problems}

    async def close_view(self, body: Payload) -> Payload:
        await self._interactions.close(body["person"], body["view_id"])
        return {}

    async def open_tab(self, body: Payload) -> Payload:
        user = self._state.person(body["person"]).id
        self._state.changes.publish(
            HomeOpened(user, "home" if body["tab"] == "home" else "messages")
        )
        return {}

    async def stop(self, body: Payload) -> Payload:
        self._streams.stop_by_person(body["channel"], body["ts"], body["person"])
        return {}

    async def dismiss(self, body: Payload) -> Payload:
        if self._state.message(body["channel"], body["ts"]).ephemeral_to == body["person"]:
            self._state.dismiss(body["channel"], body["ts"])
        return {}

    async def read(self, body: Payload) -> Payload:
        self._shapes.read[body["person"], body["channel"]] = body["ts"]
        self._feed.resend(body["person"], body["channel"])
        return {}


async def index(request: web.Request) -> web.FileResponse:
    return web.FileResponse(
        PAGE / "index.html",
        headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY},
    )


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
