"""Recovers jobs of dead replicas, where several processes share a Postgres.

Each process holds an advisory lock of its own name while it lives. Postgres itself lets the lock go
when the process, its machine or the network between them dies: no clocks are compared, and nothing
of a dead process has to be cleaned up.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, NullPool, create_engine, make_url
from sqlalchemy.exc import SQLAlchemyError

from bot.domain.database_address import connect_args
from bot.domain.errors import RecordsError

_SECONDS = 5.0
_SECONDS_ABSENT = 10.0
_log = logging.getLogger(__name__)

# A process whose machine vanished is found out by the server within half a minute.
_OF_THE_SESSION = (
    "SET tcp_keepalives_idle = 10",
    "SET tcp_keepalives_interval = 5",
    "SET tcp_keepalives_count = 4",
    "SET idle_session_timeout = 0",
)


class Replica:
    """One process among those of its ``group``. Not safe from several threads."""

    def __init__(
        self,
        url: str,
        group: str,
        name: str,
        *,
        patience: float = 60.0,
        settling: float = 15.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``patience`` is how long a predecessor of the same name may take to die; ``settling``
        how long others have, after Postgres was away, to come back. Both in seconds.
        """
        self._engine = create_engine(
            url,
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            connect_args=connect_args(make_url(url)),
        )
        self._group = group
        self._name = name
        self._patience = patience
        self._settling = settling
        self._clock = clock
        self._connection: Connection | None = None
        self._since = 0.0

    def enter(self) -> None:
        """Take the name. Raises RecordsError where another process keeps it."""
        deadline = self._clock() + self._patience
        while not self.confirm():
            if self._clock() > deadline:
                raise RecordsError(
                    f"Another process runs as {self._name!r} on this database, or it cannot be "
                    "reached: give each process a name of its own, LOREBOT_RECORDS_REPLICA."
                )
            time.sleep(0.2)

    def confirm(self) -> bool:
        """Whether the name is ours; taken again where the connection was lost."""
        try:
            if self._connection is not None:
                self._connection.exec_driver_sql("SELECT 1")
                return True
        except SQLAlchemyError as error:
            _log.warning("The connection to Postgres was lost: %s", type(error).__name__)
            self._disconnect()
        try:
            connection = self._engine.connect()
            for setting in _OF_THE_SESSION:
                connection.exec_driver_sql(setting)
            if not _locked(connection, self._key(self._name)):
                connection.close()
                return False
        except SQLAlchemyError:
            return False
        self._connection, self._since = connection, self._clock()
        return True

    @property
    def is_settled(self) -> bool:
        """Whether every other process that lives has had the time to take its name."""
        return self._connection is not None and self._clock() - self._since > self._settling

    @contextmanager
    def absent(self, name: str) -> Iterator[bool]:
        """Whether no process of that name lives; within the block none comes to life."""
        connection = self._connection
        key = self._key(name)
        if connection is None or name == self._name or not _locked(connection, key):
            yield False
            return
        try:
            yield True
        finally:
            connection.exec_driver_sql(f"SELECT pg_advisory_unlock({key})")

    def leave(self) -> None:
        """Let the name go: what is left undone, others may do."""
        self._disconnect()
        self._engine.dispose()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()  # the lock ends with the session, whatever state it is in
            self._connection.close()
        self._connection = None

    def _key(self, name: str) -> int:
        digest = hashlib.sha256(f"lorebot {self._group} {name}".encode()).digest()
        return int.from_bytes(digest[:8], "big", signed=True)


def replica_of(url: str, group: str, name: str) -> Replica | None:
    """None on SQLite, which one machine shares: its processes recover their own jobs."""
    is_shared = make_url(url).get_backend_name() == "postgresql"
    return Replica(url, group, name) if is_shared else None


class Recovery:
    """Looks every few seconds, from a thread of its own, for names that no process holds."""

    def __init__(
        self,
        replica: Replica,
        owners: Callable[[], Iterable[str]],
        recover: Callable[[str], None],
        resume: Callable[[], None],
        seconds: float = _SECONDS,
        *,
        patience: float = _SECONDS_ABSENT,
    ) -> None:
        """``owners`` names the processes with unfinished jobs; ``recover`` puts those of one name
        back into their queues. ``resume`` begins what was to begin and has not.

        A live process may lose its connection, and takes its name again at its own next look: only
        one that was found absent for ``patience`` seconds counts as dead.
        """
        self._replica = replica
        self._owners = owners
        self._recover = recover
        self._resume = resume
        self._seconds = seconds
        self._patience = patience
        self._absent_since: dict[str, float] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recovery", daemon=True)

    def start(self) -> None:
        """Raises RecordsError where another process of this name lives."""
        self._replica.enter()
        self._thread.start()

    def close(self) -> None:
        """Let the name go, so that others may recover what is left.

        Where the database is away, its thread may wait for that; then the name ends with the
        process.
        """
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join(_SECONDS)
        if not self._thread.is_alive():
            self._replica.leave()

    def look(self) -> None:
        """Recover jobs of dead processes; none while it is unsure which processes live."""
        if not self._replica.confirm() or not self._replica.is_settled:
            return
        before, self._absent_since = self._absent_since, {}
        for owner in self._owners():
            with self._replica.absent(owner) as is_absent:
                if is_absent:
                    self._recover_in_time(owner, before.get(owner, time.monotonic()))
        self._resume()

    def _recover_in_time(self, owner: str, since: float) -> None:
        if time.monotonic() - since < self._patience:
            self._absent_since[owner] = since
            return
        _log.warning("%s is gone; the others go on with what it had begun.", owner)
        self._recover(owner)

    def _run(self) -> None:
        while not self._stopped.wait(self._seconds):
            try:
                self.look()
            except Exception:  # noqa: BLE001 - the database may be away; it is tried again
                _log.warning("Who is alive could not be found out.", exc_info=True)


class NoRecovery:
    """For SQLite: there a process that died recovers its own jobs when it is started again."""

    def start(self) -> None: ...

    def close(self) -> None: ...


def recovery(
    url: str,
    group: str,
    name: str,
    owners: Callable[[], Iterable[str]],
    recover: Callable[[str], None],
    resume: Callable[[], None],
) -> Recovery | NoRecovery:
    """For the process ``name`` among those of its ``group`` that share the database at ``url``."""
    replica = replica_of(url, group, name)
    return Recovery(replica, owners, recover, resume) if replica else NoRecovery()


def _locked(connection: Connection, key: int) -> bool:
    return bool(connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({key})").scalar())
