"""The Web API's methods, a family a module. Each family maps Slack's names to functions."""

from bot.workspace.methods.assistant import AssistantMethods
from bot.workspace.methods.chat import ChatMethods
from bot.workspace.methods.conversations import ConversationMethods
from bot.workspace.methods.files import FileMethods
from bot.workspace.methods.people import PeopleMethods
from bot.workspace.methods.reactions import ReactionMethods
from bot.workspace.methods.streaming import StreamingMethods
from bot.workspace.methods.views import ViewMethods
from bot.workspace.state import WorkspaceState
from bot.workspace.streams import Streams
from bot.workspace.web_api import Method

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
