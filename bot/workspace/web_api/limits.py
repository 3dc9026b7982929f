"""Slack's rate limits: a token bucket per method, and for posting one per channel."""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

TIERS = {2: 20, 3: 50, 4: 100}
"""Calls a minute by tier; Slack promises at least these."""

POSTS_PER_MINUTE = 60
POST_BURST = 5
"""What chat.postMessage takes per channel: one a second, with short bursts."""

_TIER_OF = {
    2: (
        "chat.startStream",
        "chat.stopStream",
        "conversations.list",
        "reactions.remove",
        "usergroups.list",
        "usergroups.users.list",
        "users.list",
    ),
    3: (
        "agents.sessions.setStatus",
        "bots.info",
        "chat.delete",
        "chat.update",
        "conversations.history",
        "conversations.info",
        "conversations.join",
        "conversations.leave",
        "conversations.open",
        "conversations.replies",
        "files.delete",
        "reactions.add",
        "reactions.get",
        "team.info",
        "users.conversations",
    ),
    4: (
        "assistant.threads.setStatus",
        "assistant.threads.setSuggestedPrompts",
        "assistant.threads.setTitle",
        "chat.appendStream",
        "chat.postEphemeral",
        "conversations.members",
        "files.completeUploadExternal",
        "files.getUploadURLExternal",
        "files.info",
        "users.info",
        "views.open",
        "views.publish",
        "views.push",
        "views.update",
    ),
}


@dataclass(frozen=True, slots=True)
class Limit:
    """Calls a minute, and how many may come at once."""

    per_minute: float
    burst: int


DEFAULTS = {
    method: Limit(TIERS[tier], TIERS[tier])
    for tier, methods in _TIER_OF.items()
    for method in methods
} | {"chat.postMessage": Limit(POSTS_PER_MINUTE, POST_BURST)}


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class RateLimits:
    """Off until started; usable from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._limits = dict(DEFAULTS)
        self._buckets: dict[tuple[str, str, str], _Bucket] = {}
        self._speed = 0.0

    def start(self, speed: float = 1.0) -> None:
        """Holds from now on; at `speed` 60 a minute's allowance comes back in a second."""
        with self._lock:
            self._buckets.clear()
            self._speed = speed

    def stop(self) -> None:
        with self._lock:
            self._speed = 0.0

    def set(self, method: str, per_minute: float, burst: int | None = None) -> None:
        """Gives a method another limit, for instance 1 for the history of outside apps."""
        with self._lock:
            allowed = burst if burst is not None else max(1, int(per_minute))
            self._limits[method] = Limit(per_minute, allowed)

    def take(self, method: str, team_id: str, channel_id: str = "") -> int:
        """Counts a call; returns 0, or the whole seconds to wait where it is one too many."""
        with self._lock:
            limit = self._limits.get(method)
            if not self._speed or limit is None:
                return 0
            place = channel_id if method == "chat.postMessage" else ""
            bucket = self._bucket((method, team_id, place), limit)
            if bucket.tokens >= 1:
                bucket.tokens -= 1
                return 0
            per_second = limit.per_minute / 60 * self._speed
            return max(1, math.ceil((1 - bucket.tokens) / per_second))

    def _bucket(self, key: tuple[str, str, str], limit: Limit) -> _Bucket:
        now = self._clock()
        bucket = self._buckets.setdefault(key, _Bucket(limit.burst, now))
        regained = (now - bucket.at) * limit.per_minute / 60 * self._speed
        bucket.tokens, bucket.at = min(limit.burst, bucket.tokens + regained), now
        return bucket
