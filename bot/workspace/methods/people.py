"""auth.*, api.* and users.*: who is who."""

from bot.workspace.arguments import Arguments
from bot.workspace.models import Payload
from bot.workspace.paging import page_of
from bot.workspace.shapes import person_shape
from bot.workspace.state import WorkspaceState
from bot.workspace.web_api import Method


class PeopleMethods:
    def __init__(self, state: WorkspaceState) -> None:
        self._state = state

    def table(self) -> dict[str, Method]:
        return {
            "api.test": self.api_test,
            "auth.test": self.auth_test,
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
