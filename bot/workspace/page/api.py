"""What a person can do on the page, one method per action."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from bot.workspace.delivery.interactions import Interactions
from bot.workspace.errors import WorkspaceError
from bot.workspace.page.feed import Feed
from bot.workspace.page.shapes import PageShapes
from bot.workspace.state.changes import HomeOpened
from bot.workspace.state.models import Payload
from bot.workspace.state.streams import Streams
from bot.workspace.state.workspace_state import WorkspaceState
from bot.workspace.web_api.manifest import AppManifest
from bot.workspace.wire.composing import command_text, wire_text

Action: TypeAlias = Callable[[Payload], Awaitable[Payload]]


class PageApi:
    """Every action takes the page's JSON object, which names its `person`."""

    def __init__(
        self,
        state: WorkspaceState,
        streams: Streams,
        interactions: Interactions,
        manifest: AppManifest,
        shapes: PageShapes,
        feed: Feed,
    ) -> None:
        self._state = state
        self._streams = streams
        self._interactions = interactions
        self._manifest = manifest
        self._shapes = shapes
        self._feed = feed
        self._actions: dict[str, Action] = {
            "post": self.post,
            "edit": self.edit,
            "delete": self.delete,
            "shortcut": self.shortcut,
            "suggest": self.suggest,
            "join": self.join,
            "leave": self.leave,
            "talk-to": self.talk_to,
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

    def action(self, name: str) -> Action:
        try:
            return self._actions[name]
        except KeyError:
            raise WorkspaceError(f"The page has no action {name!r}.") from None

    async def post(self, body: Payload) -> Payload:
        """Posts what a person typed; text that starts with "/" is a slash command."""
        typed = str(body["text"]).strip()
        files = [str(file_id) for file_id in body.get("files", ())]
        if not typed and not files:
            raise WorkspaceError("Write something first.")
        if typed.startswith("/"):
            return await self._command(body, typed)
        message = self._state.post(
            body["channel"],
            body["person"],
            wire_text(self._state, typed),
            thread_ts=body.get("thread_ts"),
            files=files,
        )
        return {"ts": message.ts}

    async def _command(self, body: Payload, typed: str) -> Payload:
        command, _, text = typed.partition(" ")
        if body.get("thread_ts"):
            raise WorkspaceError(f"{command} is not supported in threads. Sorry!")
        if self._manifest.escapes(command):
            text = command_text(self._state, text)
        await self._interactions.command(body["person"], body["channel"], command, text.strip())
        return {}

    async def edit(self, body: Payload) -> Payload:
        text = wire_text(self._state, str(body["text"]))
        self._state.edit(body["channel"], body["ts"], body["person"], text)
        return {}

    async def delete(self, body: Payload) -> Payload:
        self._state.delete(body["channel"], body["ts"], body["person"])
        return {}

    async def shortcut(self, body: Payload) -> Payload:
        await self._interactions.shortcut(
            body["person"], body["channel"], body["ts"], body["callback_id"]
        )
        return {}

    async def suggest(self, body: Payload) -> Payload:
        options = await self._interactions.suggest(
            body["person"], body["place"], body["action_id"], body["typed"]
        )
        return {"options": options}

    async def join(self, body: Payload) -> Payload:
        """Joins a channel, or adds the person that `user` names to it."""
        channel = self._state.readable_channel(body["channel"], body["person"])
        self._state.join(channel.id, body.get("user") or body["person"])
        return {}

    async def leave(self, body: Payload) -> Payload:
        self._state.leave(body["channel"], body["person"])
        return {}

    async def talk_to(self, body: Payload) -> Payload:
        """Opens the direct conversation with another person."""
        return {"channel": self._state.direct_channel(body["person"], body["user"]).id}

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
        self._streams.stop_session(body["channel"], body["thread_ts"], body["person"])
        return {}

    async def dismiss(self, body: Payload) -> Payload:
        if self._state.message(body["channel"], body["ts"]).ephemeral_to == body["person"]:
            self._state.dismiss(body["channel"], body["ts"])
        return {}

    async def read(self, body: Payload) -> Payload:
        self._shapes.read[body["person"], body["channel"]] = body["ts"]
        self._feed.resend(body["person"], body["channel"])
        return {}
