"""What a process left unfinished that died and does not come back, the others finish."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable

from bot.jobs.replicas import Replica, replica_of

_SECONDS = 5.0
_SECONDS_ABSENT = 10.0
_log = logging.getLogger(__name__)


class Adoption:
    """Looks every few seconds, from a thread of its own, for names that nobody holds any more."""

    def __init__(
        self,
        replica: Replica,
        owners: Callable[[], Iterable[str]],
        adopt: Callable[[str], None],
        resume: Callable[[], None],
        seconds: float = _SECONDS,
        *,
        patience: float = _SECONDS_ABSENT,
    ) -> None:
        """``owners`` are the names of processes with unfinished jobs; what one of a name has left
        ``adopt`` hands to whoever is free. ``resume`` begins what was to begin and has not.

        One that lives may lose its connection, and takes its name again at its own next look:
        nobody is gone who was not found absent for ``patience`` seconds.
        """
        self._replica = replica
        self._owners = owners
        self._adopt = adopt
        self._resume = resume
        self._seconds = seconds
        self._patience = patience
        self._absent_since: dict[str, float] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="adoption", daemon=True)

    def start(self) -> None:
        """Raises RecordsError where another process of this name lives."""
        self._replica.enter()
        self._thread.start()

    def close(self) -> None:
        """Let the name go, so that others may adopt what is left.

        Where the database is away, its thread may wait for that; then the name ends with the
        process.
        """
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join(_SECONDS)
        if not self._thread.is_alive():
            self._replica.leave()

    def look(self) -> None:
        """Adopt what nobody alive owns; nothing while we cannot be sure who lives."""
        if not self._replica.confirm() or not self._replica.is_settled:
            return
        before, self._absent_since = self._absent_since, {}
        for owner in self._owners():
            with self._replica.absent(owner) as is_absent:
                if is_absent:
                    self._adopt_in_time(owner, before.get(owner, time.monotonic()))
        self._resume()

    def _adopt_in_time(self, owner: str, since: float) -> None:
        if time.monotonic() - since < self._patience:
            self._absent_since[owner] = since
            return
        _log.warning("%s is gone; the others go on with what it had begun.", owner)
        self._adopt(owner)

    def _run(self) -> None:
        while not self._stopped.wait(self._seconds):
            try:
                self.look()
            except Exception:  # noqa: BLE001 - the database may be away; it is tried again
                _log.warning("Who is alive could not be found out.", exc_info=True)


class NoRecovery:
    """On SQLite, which one machine shares: what died there is started again there."""

    def start(self) -> None: ...

    def close(self) -> None: ...


def adoption(
    url: str,
    group: str,
    name: str,
    owners: Callable[[], Iterable[str]],
    adopt: Callable[[str], None],
    resume: Callable[[], None],
) -> Adoption | NoRecovery:
    """For the process ``name`` among those of its ``group`` that share the database at ``url``."""
    replica = replica_of(url, group, name)
    return Adoption(replica, owners, adopt, resume) if replica else NoRecovery()
