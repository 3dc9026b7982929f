"""Which processes that share a Postgres are alive: each holds a lock of its own name while it is.

Postgres itself lets the lock go when the process, its machine or the network between them dies:
no clocks are compared, and nothing of a dead process has to be cleaned up.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, NullPool, create_engine, make_url
from sqlalchemy.exc import SQLAlchemyError

from bot.domain.database_address import connect_args
from bot.domain.errors import RecordsError

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
    """None on SQLite, which a single machine shares: what died there is started again there."""
    is_shared = make_url(url).get_backend_name() == "postgresql"
    return Replica(url, group, name) if is_shared else None


def _locked(connection: Connection, key: int) -> bool:
    return bool(connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({key})").scalar())
