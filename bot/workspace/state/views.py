"""Modals and App Homes: which views each person has open, and the triggers that may open one."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

from bot.workspace.errors import Refused
from bot.workspace.state.changes import Changes, ViewsChanged
from bot.workspace.state.models import Payload

TRIGGER_LIFETIME = 3.0
"""Seconds within which a trigger may open a modal."""

STACK_LIMIT = 3
"""Modals one person can have on top of each other."""


@dataclass(frozen=True, slots=True)
class View:
    """A view as a bot defined it, and where it stands."""

    id: str
    owner: str
    definition: Payload
    hash: str
    root_id: str
    previous_id: str | None = None

    @property
    def external_id(self) -> str:
        return str(self.definition.get("external_id") or "")


@dataclass(frozen=True, slots=True)
class _Trigger:
    owner: str
    issued: float


class Views:
    """Open modals, one stack per person, and one home per person."""

    def __init__(self, changes: Changes, clock: Callable[[], float]) -> None:
        self._changes = changes
        self._clock = clock
        self._stacks: dict[str, list[View]] = {}
        self._homes: dict[str, View] = {}
        self._triggers: dict[str, _Trigger] = {}
        self._exchanged: set[str] = set()

    def issue_trigger(self, user_id: str) -> str:
        now = self._clock()
        trigger_id = f"{int(now)}.{secrets.randbelow(10**10)}.{secrets.token_hex(16)}"
        self._triggers[trigger_id] = _Trigger(user_id, now)
        return trigger_id

    def modal(self, user_id: str) -> View | None:
        """The modal a person sees: the top of his stack."""
        stack = self._stacks.get(user_id)
        return stack[-1] if stack else None

    def home(self, user_id: str) -> View | None:
        return self._homes.get(user_id)

    def view(self, view_id: str) -> View:
        for view in self._all():
            if view.id == view_id:
                return view
        raise Refused("not_found")

    def open(self, trigger_id: str, definition: Payload) -> View:
        """Shows a modal to the person whose trigger this is, in place of any other."""
        owner = self._exchange(trigger_id)
        view = self._new(owner, definition)
        self._stacks[owner] = [view]
        return self._told(view)

    def push(self, trigger_id: str, definition: Payload) -> View:
        return self.push_for(self._exchange(trigger_id), definition)

    def push_for(self, owner: str, definition: Payload) -> View:
        """Puts a modal on top of the one a person has open."""
        stack = self._stacks.setdefault(owner, [])
        if len(stack) >= STACK_LIMIT:
            raise Refused("push_limit_reached")
        stack.append(self._new(owner, definition, below=stack[-1] if stack else None))
        return self._told(stack[-1])

    def update(self, view: View, definition: Payload, hash_: str = "") -> View:
        """Replaces a view's definition; `hash_` guards against an older reading of it."""
        if hash_ and hash_ != view.hash:
            raise Refused("hash_conflict")
        updated = replace(view, definition=definition, hash=self._hash())
        for stack in self._stacks.values():
            stack[:] = [updated if each.id == view.id else each for each in stack]
        if self._homes.get(view.owner, view).id == view.id and view.owner in self._homes:
            self._homes[view.owner] = updated
        return self._told(updated)

    def find(self, view_id: str, external_id: str) -> View:
        for view in self._all():
            if (view_id and view.id == view_id) or (
                external_id and view.external_id == external_id
            ):
                return view
        raise Refused("not_found")

    def publish(self, user_id: str, definition: Payload, hash_: str = "") -> View:
        """Sets the home a person sees."""
        existing = self._homes.get(user_id)
        if existing is not None:
            return self.update(existing, definition, hash_)
        self._homes[user_id] = self._new(user_id, definition)
        return self._told(self._homes[user_id])

    def close(self, view: View) -> None:
        """Takes a modal away and shows the one below, if there is one."""
        stack = self._stacks.get(view.owner, [])
        stack[:] = [each for each in stack if each.id != view.id]
        self._changes.publish(ViewsChanged(view.owner))

    def clear(self, user_id: str) -> None:
        self._stacks.pop(user_id, None)
        self._changes.publish(ViewsChanged(user_id))

    def _all(self) -> list[View]:
        return [*(view for stack in self._stacks.values() for view in stack), *self._homes.values()]

    def _told(self, view: View) -> View:
        self._changes.publish(ViewsChanged(view.owner))
        return view

    def _exchange(self, trigger_id: str) -> str:
        if trigger_id in self._exchanged:
            raise Refused("exchanged_trigger_id")
        trigger = self._triggers.pop(trigger_id, None)
        if trigger is None:
            raise Refused("invalid_trigger_id")
        if self._clock() - trigger.issued > TRIGGER_LIFETIME:
            raise Refused("expired_trigger_id")
        self._exchanged.add(trigger_id)
        return trigger.owner

    def _new(self, owner: str, definition: Payload, below: View | None = None) -> View:
        external_id = definition.get("external_id")
        if external_id and any(view.external_id == external_id for view in self._all()):
            raise Refused("duplicate_external_id")
        id_ = f"V{secrets.token_hex(5).upper()}"
        root_id = below.root_id if below else id_
        return View(id_, owner, definition, self._hash(), root_id, below.id if below else None)

    def _hash(self) -> str:
        return f"{int(self._clock())}.{secrets.token_hex(4)}"
