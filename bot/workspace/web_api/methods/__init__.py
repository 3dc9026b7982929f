"""The Web API's methods, one module per family. Each family maps Slack's names to functions."""

from bot.workspace.state.streams import Streams
from bot.workspace.state.workspace_state import WorkspaceState
from bot.workspace.web_api.api import Method
from bot.workspace.web_api.methods.assistant import AssistantMethods
from bot.workspace.web_api.methods.chat import ChatMethods
from bot.workspace.web_api.methods.conversations import ConversationMethods
from bot.workspace.web_api.methods.files import FileMethods
from bot.workspace.web_api.methods.people import PeopleMethods
from bot.workspace.web_api.methods.reactions import ReactionMethods
from bot.workspace.web_api.methods.streaming import StreamingMethods
from bot.workspace.web_api.methods.views import ViewMethods

__all__ = ["methods_of"]


def methods_of(state: WorkspaceState, streams: Streams) -> dict[str, Method]:
    """Every method that acts on a workspace, by Slack's name."""
    return {
        **ChatMethods(state).table(),
        **StreamingMethods(state, streams).table(),
        **ConversationMethods(state).table(),
        **FileMethods(state).table(),
        **PeopleMethods(state).table(),
        **ReactionMethods(state).table(),
        **ViewMethods(state).table(),
        **AssistantMethods(state).table(),
    }
