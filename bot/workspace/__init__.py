"""A local, Slack-compatible workspace: the real bot runs against it unchanged.

with Workspace(port=8021) as workspace:
    print(workspace.url)      # the page people read and write on
    print(workspace.api_url)  # the WebClient's base_url
"""

from bot.workspace.errors import Refused, WorkspaceError
from bot.workspace.sample_team import sample_partner, sample_workspace
from bot.workspace.server.server import Workspace
from bot.workspace.state.models import Channel, Person, UserGroup
from bot.workspace.state.workspace_state import WorkspaceState
from bot.workspace.web_api.faults import ANSWER_LOST, CUT, RATE_LIMITED, SERVER_ERROR, Fault

__all__ = [
    "ANSWER_LOST",
    "CUT",
    "RATE_LIMITED",
    "SERVER_ERROR",
    "Channel",
    "Fault",
    "Person",
    "Refused",
    "UserGroup",
    "Workspace",
    "WorkspaceError",
    "WorkspaceState",
    "sample_partner",
    "sample_workspace",
]
