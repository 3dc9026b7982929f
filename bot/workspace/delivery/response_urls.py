"""response_url: answers to an interaction, at most five within half an hour."""

import secrets
from dataclasses import dataclass, replace

from aiohttp import web

from bot.workspace.block_kit.block_rules import check_message_blocks
from bot.workspace.block_kit.blocks import named
from bot.workspace.errors import Refused
from bot.workspace.state.models import Payload
from bot.workspace.state.workspace_state import WorkspaceState

PATH = "/response"
USES = 5
LIFETIME = 1800.0


@dataclass(slots=True)
class _Slot:
    user: str
    channel: str
    message_ts: str | None
    thread_ts: str | None
    issued: float
    uses: int = 0


class ResponseUrls:
    def __init__(self, state: WorkspaceState) -> None:
        self._state = state
        self._slots: dict[str, _Slot] = {}

    def issue(
        self,
        user_id: str,
        channel_id: str,
        *,
        message_ts: str | None = None,
        thread_ts: str | None = None,
    ) -> str:
        key = secrets.token_urlsafe(16)
        self._slots[key] = _Slot(user_id, channel_id, message_ts, thread_ts, self._state.clock())
        return f"{self._state.url.rstrip('/')}{PATH}/{self._state.team_id}/{key}"

    async def handle(self, request: web.Request) -> web.Response:
        try:
            self._respond(self._take(request.match_info["key"]), await request.json())
        except Refused as refusal:
            return web.json_response({"ok": False, "error": refusal.code}, status=404)
        return web.json_response({"ok": True})

    def _take(self, key: str) -> _Slot:
        slot = self._slots.get(key)
        if slot is None:
            raise Refused("invalid_url")
        if self._state.clock() - slot.issued > LIFETIME:
            raise Refused("expired_url")
        if slot.uses >= USES:
            raise Refused("used_url")
        slot.uses += 1
        return slot

    def _respond(self, slot: _Slot, body: Payload) -> None:
        if slot.message_ts is not None and body.get("delete_original"):
            self._delete(slot.channel, slot.message_ts)
            return
        if slot.message_ts is not None and body.get("replace_original"):
            self._replace(slot.channel, slot.message_ts, body)
            return
        self.answer(slot.user, slot.channel, body, slot.thread_ts)

    def answer(
        self, user_id: str, channel_id: str, body: Payload, thread_ts: str | None = None
    ) -> None:
        """Posts a response: for its person alone, unless it says "in_channel"."""
        self._state.post(
            channel_id,
            self._state.bot.id,
            _text(body),
            blocks=_blocks(body),
            thread_ts=body.get("thread_ts") or thread_ts,
            ephemeral_to=None if body.get("response_type") == "in_channel" else user_id,
            by_response_url=True,
        )

    def _replace(self, channel_id: str, ts: str, body: Payload) -> None:
        message = self._state.message(channel_id, ts)
        self._state.put(replace(message, text=_text(body), blocks=_blocks(body)))

    def _delete(self, channel_id: str, ts: str) -> None:
        message = self._state.message(channel_id, ts)
        if message.ephemeral_to is not None:
            self._state.dismiss(channel_id, ts)
        else:
            self._state.delete(channel_id, ts, self._state.bot.id)


def _text(body: Payload) -> str:
    text = str(body.get("text") or "")
    if not text and not body.get("blocks"):
        raise Refused("no_text")
    return text


def _blocks(body: Payload) -> tuple[Payload, ...]:
    return named(check_message_blocks(body.get("blocks") or []))
