"""auth.*, team.*, bots.*, users.* and usergroups.*: people, bots and groups."""

from bot.workspace.errors import Refused
from bot.workspace.state.models import Payload
from bot.workspace.state.workspace_state import WorkspaceState
from bot.workspace.web_api.api import Method
from bot.workspace.web_api.arguments import Arguments
from bot.workspace.web_api.paging import page_of
from bot.workspace.wire.shapes import group_shape, person_shape


class PeopleMethods:
    def __init__(self, state: WorkspaceState) -> None:
        self._state = state

    def table(self) -> dict[str, Method]:
        return {
            "api.test": self.api_test,
            "auth.test": self.auth_test,
            "bots.info": self.bot_info,
            "team.info": self.team_info,
            "usergroups.list": self.groups,
            "usergroups.users.list": self.group_users,
            "users.info": self.info,
            "users.list": self.list,
        }

    def api_test(self, arguments: Arguments) -> Payload:
        return {}

    def auth_test(self, arguments: Arguments) -> Payload:
        bot = self._state.bot
        return {
            "url": self._state.url,
            "team": self._state.team_name,
            "team_id": self._state.team_id,
            "user": bot.name,
            "user_id": bot.id,
            "bot_id": bot.bot_id,
            "is_enterprise_install": False,
        }

    def info(self, arguments: Arguments) -> Payload:
        person = self._state.person(arguments.required("user"))
        return {"user": person_shape(self._state, person)}

    def list(self, arguments: Arguments) -> Payload:
        people, following = page_of(self._state.people, arguments, key=lambda person: person.id)
        return {"members": [person_shape(self._state, each) for each in people], **following}

    def bot_info(self, arguments: Arguments) -> Payload:
        bot = self._state.bot
        if arguments.text("bot") not in ("", bot.bot_id):
            raise Refused("bot_not_found")
        return {
            "bot": {
                "id": bot.bot_id,
                "deleted": False,
                "name": bot.display_name,
                "updated": 0,
                "app_id": self._state.app_id,
                "user_id": bot.id,
            }
        }

    def team_info(self, arguments: Arguments) -> Payload:
        name = self._state.team_name
        domain = name.lower().replace(" ", "-")
        return {"team": {"id": self._state.team_id, "name": name, "domain": domain}}

    def groups(self, arguments: Arguments) -> Payload:
        shapes = [group_shape(self._state, group) for group in self._state.groups]
        if arguments.flag("include_users"):
            for shape, group in zip(shapes, self._state.groups, strict=True):
                shape["users"] = list(group.users)
        return {"usergroups": shapes}

    def group_users(self, arguments: Arguments) -> Payload:
        wanted = arguments.required("usergroup")
        for group in self._state.groups:
            if group.id == wanted:
                return {"users": list(group.users)}
        raise Refused("no_such_subteam")
