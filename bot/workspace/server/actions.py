"""What the people of one workspace do and see, from any thread."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from bot.workspace.delivery.interactions import Interactions
from bot.workspace.errors import WorkspaceError
from bot.workspace.server.running import Running
from bot.workspace.server.team import Team
from bot.workspace.state.changes import ContextChanged
from bot.workspace.state.models import Channel, Payload, Person
from bot.workspace.state.views import View
from bot.workspace.state.workspace_state import WorkspaceState
from bot.workspace.wire.references import links, pinged
from bot.workspace.wire.shapes import message_shape, view_shape

Result = TypeVar("Result")


class Actions:
    """Acts as any person of one workspace.

    All methods may be called from any thread but the workspace's own; those that act
    raise WorkspaceError where Slack, or the bot, would not have it.
    """

    def __init__(self, team: Team, running: Running) -> None:
        self._team = team
        self._running = running

    @property
    def state(self) -> WorkspaceState:
        return self._team.state

    # Messages

    def post(
        self,
        user: str,
        channel: str,
        text: str,
        thread_ts: str | None = None,
        *,
        files: Sequence[tuple[str, bytes]] = (),
    ) -> str:
        """Posts `text` (in Slack's wire form: "<@U0LOREBOT> hello") and returns its ts.

        `files` are names and contents, uploaded with the message.
        """

        def act() -> str:
            ids = [self.state.files.add(user, name, content).id for name, content in files]
            return self.state.post(channel, user, text, thread_ts=thread_ts, files=ids).ts

        return self._call(act)

    def edit(self, user: str, channel: str, ts: str, text: str) -> None:
        self._call(lambda: self.state.edit(channel, ts, user, text))

    def delete(self, user: str, channel: str, ts: str) -> None:
        self._call(lambda: self.state.delete(channel, ts, user))

    def react(self, user: str, channel: str, ts: str, name: str) -> None:
        self._call(lambda: self.state.react(channel, ts, user, name))

    def unreact(self, user: str, channel: str, ts: str, name: str) -> None:
        self._call(lambda: self.state.unreact(channel, ts, user, name))

    def stop_stream(self, user: str, channel: str, ts: str) -> None:
        self._call(lambda: self._team.streams.stop_by_person(channel, ts, user))

    def stop_session(self, user: str, channel: str, thread_ts: str) -> None:
        """Presses the stop button of a thread in which the bot is at work, streaming or not."""
        self._call(lambda: self._team.streams.stop_session(channel, thread_ts, user))

    # People and channels

    def join(self, user: str, channel: str) -> None:
        self._call(lambda: self.state.join(channel, user))

    def leave(self, user: str, channel: str) -> None:
        """Takes a person, or the bot, out of a channel."""
        self._call(lambda: self.state.leave(channel, user))

    def add_person(self, person: Person) -> None:
        self._call(lambda: self.state.add_person(person))

    def change_person(self, user: str, **changes: Any) -> None:
        """Makes a person an admin, a guest, and so on: `is_restricted=True`."""
        self._call(lambda: self.state.change_person(user, **changes))

    def add_channel(self, channel: Channel) -> None:
        self._call(lambda: self.state.add_channel(channel))

    def change_channel(self, channel: str, **changes: Any) -> None:
        """Shares a channel with others, renames it, and so on: `is_ext_shared=True`."""
        self._call(lambda: self.state.change_channel(channel, **changes))

    def direct_channel(self, user: str, other: str = "") -> str:
        """The id of a person's direct conversation with the bot, or with another person."""
        return self._call(lambda: self.state.direct_channel(user, other).id)

    # The bot's surfaces

    def click(self, user: str, channel: str, ts: str, action_id: str, value: Any = None) -> None:
        """Presses what has `action_id` in a message and waits for the bot's acknowledgement.

        `value` picks the option, or the positive or negative feedback button; a plain
        button needs none.
        """
        self._await(lambda: self._interactions.click(user, channel, ts, action_id, value))

    def click_in_view(self, user: str, view_id: str, action_id: str, value: Any = None) -> None:
        self._await(lambda: self._interactions.click_in_view(user, view_id, action_id, value))

    def suggestions(self, user: str, view_id: str, action_id: str, typed: str) -> list[Payload]:
        """The options the bot offers in an external select of a view."""
        place = {"view_id": view_id}
        return self._await(lambda: self._interactions.suggest(user, place, action_id, typed))

    def submit_view(
        self, user: str, answers: Mapping[str, Any], view_id: str = ""
    ) -> dict[str, str]:
        """Submits a modal, by default the one `user` sees; returns errors by block_id.

        `answers` are by action_id: a text, an option's value or a list of them.
        """
        wanted = view_id or self._open_view(user)["id"]
        return self._await(lambda: self._interactions.submit(user, wanted, answers))

    def close_view(self, user: str, view_id: str = "") -> None:
        wanted = view_id or self._open_view(user)["id"]
        self._await(lambda: self._interactions.close(user, wanted))

    def command(self, user: str, channel: str, command: str, text: str = "") -> None:
        self._await(lambda: self._interactions.command(user, channel, command, text))

    def shortcut(self, user: str, channel: str, ts: str, callback_id: str) -> None:
        """Chooses a shortcut from a message's menu."""
        self._await(lambda: self._interactions.shortcut(user, channel, ts, callback_id))

    def global_shortcut(self, user: str, callback_id: str) -> None:
        self._await(lambda: self._interactions.global_shortcut(user, callback_id))

    def open_home(self, user: str, tab: str = "home") -> None:
        self._await(lambda: self._team.page_api.open_tab({"person": user, "tab": tab}))

    def view_channel(self, user: str, channel: str) -> None:
        """Looks at a channel with the bot's pane open beside it."""
        self._call(lambda: self.state.changes.publish(ContextChanged(user, channel)))

    # What is there

    def messages(self, channel: str, thread_ts: str | None = None) -> list[Payload]:
        """The messages of a channel, or of one thread, in Slack's shape, the oldest first.

        Replies, metadata and ephemeral messages (with `ephemeral_to`) are included.
        """

        def read() -> list[Payload]:
            return [
                message_shape(self.state, message, with_metadata=True)
                for message in self.state.messages(channel)
                if thread_ts in (None, message.root_ts)
            ]

        return self._call(read)

    def pinged(self, channel: str, ts: str) -> tuple[str, ...]:
        """The ids of the people a message notifies."""
        return self._call(lambda: pinged(self.state, self.state.message(channel, ts)))

    def links(self, channel: str, ts: str) -> tuple[str, ...]:
        """The addresses in a message's text and blocks."""
        return self._call(lambda: links(self.state.message(channel, ts)))

    def modal(self, user: str) -> Payload | None:
        """The modal a person sees."""
        return self._call(lambda: self._shown(self.state.views.modal(user)))

    def home(self, user: str) -> Payload | None:
        """The App Home a person sees."""
        return self._call(lambda: self._shown(self.state.views.home(user)))

    def status(self, channel: str, thread_ts: str) -> str:
        """The status line of a thread, "" where there is none."""
        statuses = self._call(lambda: self.state.assistant.statuses(channel))
        return next((each.text for each in statuses if each.thread_ts == thread_ts), "")

    def title(self, channel: str, thread_ts: str) -> str:
        """The title the bot gave a thread, "" where it gave none."""
        return self._call(lambda: self.state.assistant.titles(channel)).get(thread_ts, "")

    def prompts(self, channel: str) -> list[Payload]:
        """The suggested prompts of a conversation."""
        prompts = self._call(lambda: self.state.assistant.prompts(channel))
        return list(prompts.prompts) if prompts else []

    # Inside

    @property
    def _interactions(self) -> Interactions:
        return self._team.interactions

    def _shown(self, view: View | None) -> Payload | None:
        return view_shape(self.state, view) if view is not None else None

    def _open_view(self, user: str) -> Payload:
        modal = self.modal(user)
        if modal is None:
            raise WorkspaceError(f"{user} has no modal open.")
        return modal

    def _call(self, operation: Callable[[], Result]) -> Result:
        return self._running.loop.call(operation)

    def _await(self, coroutine: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        return self._running.loop.run(coroutine())
