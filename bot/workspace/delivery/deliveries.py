"""Delivers events to the bot until they are acknowledged, and interactions once."""

import asyncio
import logging
import random
import time
from dataclasses import dataclass
from typing import Protocol

from bot.workspace.errors import WorkspaceError
from bot.workspace.state.models import Payload

logger = logging.getLogger(__name__)

ACKNOWLEDGEMENT_TIMEOUT = 3.0
"""Seconds a bot has to acknowledge."""


@dataclass(slots=True, eq=False)
class Delivery:
    """One event on its way; `attempts` counts how often it was sent.

    `failure` says, in Slack's words for retries, what became of the last attempt.
    `acknowledged_after` is in seconds since that attempt.
    """

    payload: Payload
    attempts: int = 0
    failure: str = ""
    acknowledged: bool = False
    acknowledged_after: float | None = None
    gave_up: bool = False
    _sent: float = 0.0

    def sending(self) -> Payload:
        """Counts an attempt that begins now; returns what tells the bot about retries."""
        attempt = {"retry_attempt": self.attempts, "retry_reason": self.failure}
        self.attempts += 1
        self._sent = time.monotonic()
        return attempt

    def acknowledge(self) -> None:
        if not self.acknowledged:
            self.acknowledged = True
            self.acknowledged_after = time.monotonic() - self._sent


class Carrier(Protocol):
    """A way to the bot: Socket Mode or HTTP."""

    @property
    def is_connected(self) -> bool:
        """Whether a bot is there."""

    async def carry(self, delivery: Delivery) -> None:
        """Sends an event until it is acknowledged or all attempts are used up."""

    async def request(self, kind: str, payload: Payload) -> Payload:
        """Sends an interaction or a command; returns what it was acknowledged with.

        Raises WorkspaceError where no bot is there or none acknowledges in time.
        """

    async def close(self) -> None: ...


class Deliveries:
    """Every event of the workspace, by event_id, and the carrier that takes them now."""

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier
        self._tasks: dict[asyncio.Task[None], Delivery] = {}
        self._duplicated = 0.0
        self._random = random.Random(0)  # noqa: S311 - a repeatable storm, not a secret
        self.by_event: dict[str, Delivery] = {}

    @property
    def is_connected(self) -> bool:
        return self._carrier.is_connected

    async def switch(self, carrier: Carrier) -> None:
        """Goes on with another carrier; what the old one has under way starts anew."""
        under_way = dict(self._tasks)
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        await self._carrier.close()
        self._carrier = carrier
        for delivery in under_way.values():
            self._start(delivery)

    def duplicate(self, share: float, seed: int = 0) -> None:
        """Sends this share of the events to come twice, as Slack now and then does."""
        self._duplicated = share
        self._random = random.Random(seed)  # noqa: S311

    def deliver(self, payload: Payload) -> None:
        """Starts delivering an event; returns at once."""
        delivery = Delivery(payload)
        self.by_event[payload["event_id"]] = delivery
        self._start(delivery)
        if self._random.random() < self._duplicated:
            self._start(Delivery(payload, attempts=1, failure="http_timeout"))

    def deliver_again(self, event_id: str) -> None:
        """Delivers an event once more under the same event id, acknowledged or not."""
        earlier = self.delivery(event_id)
        self.by_event[event_id] = Delivery(earlier.payload, earlier.attempts, earlier.failure)
        self._start(self.by_event[event_id])

    def delivery(self, event_id: str) -> Delivery:
        try:
            return self.by_event[event_id]
        except KeyError:
            raise WorkspaceError(f"No event has the id {event_id}.") from None

    async def request(self, kind: str, payload: Payload) -> Payload:
        return await self._carrier.request(kind, payload)

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._carrier.close()

    def _start(self, delivery: Delivery) -> None:
        task = asyncio.get_running_loop().create_task(self._carry(delivery))
        self._tasks[task] = delivery
        task.add_done_callback(lambda done: self._tasks.pop(done, None))

    async def _carry(self, delivery: Delivery) -> None:
        await self._carrier.carry(delivery)
        if not delivery.acknowledged:
            delivery.gave_up = True
            event = delivery.payload["event"]["type"]
            id_ = delivery.payload["event_id"]
            logger.warning("Gave up on event %s (%s): never acknowledged.", id_, event)
