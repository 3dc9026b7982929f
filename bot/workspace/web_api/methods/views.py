"""views.*: modals and the App Home."""

from bot.workspace.block_kit.block_rules import check_view
from bot.workspace.block_kit.blocks import named
from bot.workspace.errors import Refused
from bot.workspace.state.models import Payload
from bot.workspace.state.views import View
from bot.workspace.state.workspace_state import WorkspaceState
from bot.workspace.web_api.api import Method
from bot.workspace.web_api.arguments import Arguments
from bot.workspace.wire.shapes import view_shape


class ViewMethods:
    def __init__(self, state: WorkspaceState) -> None:
        self._state = state

    def table(self) -> dict[str, Method]:
        return {
            "views.open": self.open,
            "views.push": self.push,
            "views.update": self.update,
            "views.publish": self.publish,
        }

    def open(self, arguments: Arguments) -> Payload:
        definition = read_view(arguments.structure("view"), "modal")
        return self._answer(self._state.views.open(arguments.required("trigger_id"), definition))

    def push(self, arguments: Arguments) -> Payload:
        definition = read_view(arguments.structure("view"), "modal")
        return self._answer(self._state.views.push(arguments.required("trigger_id"), definition))

    def update(self, arguments: Arguments) -> Payload:
        definition = read_view(arguments.structure("view"), "modal")
        view = self._state.views.find(arguments.text("view_id"), arguments.text("external_id"))
        return self._answer(self._state.views.update(view, definition, arguments.text("hash")))

    def publish(self, arguments: Arguments) -> Payload:
        definition = read_view(arguments.structure("view"), "home")
        user_id = self._state.person(arguments.required("user_id")).id
        return self._answer(self._state.views.publish(user_id, definition, arguments.text("hash")))

    def _answer(self, view: View) -> Payload:
        return {"view": view_shape(self._state, view)}


def read_view(definition: object, kind: str) -> Payload:
    """A checked definition of this kind of view, its blocks named."""
    checked = check_view(definition)
    if checked["type"] != kind:
        raise Refused("invalid_arguments", [f"[ERROR] view must be a {kind}"])
    return checked | {"blocks": list(named(checked["blocks"]))}
