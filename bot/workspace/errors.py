"""What can go wrong in the local workspace.

- WorkspaceError: a sentence for the person who runs or tests the workspace
    - Refused: an operation Slack would refuse, with Slack's own error code
"""

from collections.abc import Mapping, Sequence

from bot.domain.errors import LorebotError


class WorkspaceError(LorebotError):
    """Something a person can act on; its text is a complete sentence."""


class Refused(WorkspaceError):
    """The workspace refuses an operation the way Slack does.

    `code` is Slack's error code ("channel_not_found"); `details` become
    `response_metadata.messages` in a Web API reply, and `fields` stand beside `error`.
    """

    def __init__(
        self, code: str, details: Sequence[str] = (), *, fields: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"The workspace refused this: {code}.")
        self.code = code
        self.details = tuple(details)
        self.fields = dict(fields or {})
