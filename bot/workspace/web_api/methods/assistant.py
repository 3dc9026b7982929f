"""assistant.threads.* and agents.sessions.*: status lines, prompts and titles."""

from bot.workspace.errors import Refused
from bot.workspace.state.assistant import Prompts, Status
from bot.workspace.state.models import Payload
from bot.workspace.state.workspace_state import WorkspaceState
from bot.workspace.web_api.api import Method
from bot.workspace.web_api.arguments import Arguments

LOADING_MESSAGES = 10
LOADING_LENGTH = 50
PROMPTS = 4
SESSION_STATUSES = ("processing", "active", "suspended", "closed")


class AssistantMethods:
    def __init__(self, state: WorkspaceState) -> None:
        self._state = state

    def table(self) -> dict[str, Method]:
        return {
            "assistant.threads.setStatus": self.set_status,
            "assistant.threads.setSuggestedPrompts": self.set_suggested_prompts,
            "assistant.threads.setTitle": self.set_title,
            "agents.sessions.setStatus": self.set_session_status,
            "agents.sessions.rename": self.set_title,
        }

    def set_status(self, arguments: Arguments) -> Payload:
        loading = arguments.structure("loading_messages") or []
        if not isinstance(loading, list) or len(loading) > LOADING_MESSAGES:
            raise Refused("invalid_arguments", ["[ERROR] loading_messages: 10 of 50 characters"])
        if any(not isinstance(each, str) or len(each) > LOADING_LENGTH for each in loading):
            raise Refused("invalid_arguments", ["[ERROR] loading_messages: 10 of 50 characters"])
        channel_id, thread_ts = self._thread(arguments)
        status = Status(channel_id, thread_ts, arguments.text("status"), tuple(loading))
        self._state.assistant.set_status(status)
        return {}

    def set_session_status(self, arguments: Arguments) -> Payload:
        """Writes the same status line: it shows while a session is "processing"."""
        value = arguments.required("status")
        if value not in SESSION_STATUSES:
            raise Refused(
                "invalid_arguments", [f"[ERROR] status must be one of {SESSION_STATUSES}"]
            )
        channel_id, thread_ts = self._thread(arguments)
        text = "is working on it…" if value == "processing" else ""
        self._state.assistant.set_status(Status(channel_id, thread_ts, text, can_stop=True))
        if arguments.text("title"):
            self._state.assistant.set_title(channel_id, thread_ts, arguments.text("title"))
        return {}

    def set_suggested_prompts(self, arguments: Arguments) -> Payload:
        channel_id = self._channel(arguments)
        prompts = arguments.structure("prompts")
        if not isinstance(prompts, list) or not 0 < len(prompts) <= PROMPTS:
            raise Refused("invalid_arguments", [f"[ERROR] prompts: 1 to {PROMPTS}"])
        if not all(isinstance(each, dict) for each in prompts) or not all(
            each.get("title") and each.get("message") for each in prompts
        ):
            raise Refused("invalid_arguments", ["[ERROR] a prompt needs a title and a message"])
        self._state.assistant.set_prompts(
            channel_id, Prompts(arguments.text("title"), tuple(prompts))
        )
        return {}

    def set_title(self, arguments: Arguments) -> Payload:
        channel_id, thread_ts = self._thread(arguments)
        self._state.assistant.set_title(channel_id, thread_ts, arguments.required("title"))
        return {}

    def _channel(self, arguments: Arguments) -> str:
        channel_id = arguments.required("channel_id")
        return self._state.joined_channel(channel_id, self._state.bot.id).id

    def _thread(self, arguments: Arguments) -> tuple[str, str]:
        channel_id = self._channel(arguments)
        thread_ts = arguments.required("thread_ts")
        self._state.message(channel_id, thread_ts)
        return channel_id, thread_ts
