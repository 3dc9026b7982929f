"""Checks at every act that a person is an admin, and writes each act into the audit log."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from slack_sdk import WebClient

from bot.domain.errors import LorebotError, NotAllowed
from bot.records.audit import Act, Audit
from bot.slack.connection.calls import slack_call
from bot.slack.replies.audience import NOT_OURS
from indexer.errors import IndexerError


class Authority:
    """Decides who may act, and keeps the audit log."""

    def __init__(self, admins: Sequence[str], audit: Audit) -> None:
        """``admins`` are ids of people besides the workspace's own admins and owners."""
        self._admins = frozenset(admins)
        self.audit = audit

    def is_admin(self, client: WebClient, user: str) -> bool:
        """As Slack says now. Raises SlackCallFailed where it does not say: unknown is no admin."""
        with slack_call("say who is asking"):
            found = client.users_info(user=user)["user"]
        if any(found.get(flag) for flag in NOT_OURS):
            return False
        return bool(found.get("is_admin") or found.get("is_owner")) or user in self._admins

    @contextmanager
    def acting(
        self, client: WebClient, user: str, action: str, subject: str = ""
    ) -> Iterator[Callable[[str], None]]:
        """Around one act: refuses people who are no admins, and logs how the act ended; of refused
        ones, not what was typed.

        Gives a function that sets another outcome than "done". Raises NotAllowed.
        """
        outcome = "failed"

        def ended(word: str) -> None:
            nonlocal outcome
            outcome = word

        try:
            if not self.is_admin(client, user):
                subject = ""
                raise NotAllowed(
                    "Only admins of this workspace may do that, and whoever [slack] admins names."
                )
            outcome = "done"
            yield ended
        except NotAllowed:
            outcome = "refused"
            raise
        except (LorebotError, IndexerError) as error:
            outcome = f"failed: {type(error).__name__}"
            raise
        except Exception:
            outcome = "failed: bug"
            raise
        finally:
            self.audit.note(Act(user, action, subject, outcome))
