"""An ASGI application behind a port of this machine, served from a thread of its own."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from bot.domain.errors import BotSettingsError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_START_SECONDS = 10.0
_STOP_SECONDS = 5


class WebServer:
    """Serves one application until closed; ``port`` 0 in the address takes a free one."""

    def __init__(self, application: Application, address: str) -> None:
        """Listens at once on ``HOST:PORT``. Raises BotSettingsError where that cannot be."""
        import uvicorn

        self._socket = listening_socket(address)
        self.port = int(self._socket.getsockname()[1])
        self._server = uvicorn.Server(
            uvicorn.Config(
                application,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=_STOP_SECONDS,
            )
        )
        self._thread = threading.Thread(target=self._run, name=f"web server {address}", daemon=True)

    def start(self) -> None:
        """Returns when requests are taken."""
        self._thread.start()
        deadline = time.monotonic() + _START_SECONDS
        while not self._server.started and self._thread.is_alive():
            if time.monotonic() > deadline:
                break
            time.sleep(0.01)
        if not self._server.started:
            raise BotSettingsError("The web server did not start; run with --verbose to see.")

    @property
    def is_serving(self) -> bool:
        return self._server.started and self._thread.is_alive()

    def close(self) -> None:
        """Take nothing new, finish what is being answered."""
        self._server.should_exit = True
        if self._thread.ident is not None:
            self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])


def listening_socket(address: str) -> socket.socket:
    """Bound to ``HOST:PORT``. Raises BotSettingsError where that cannot be."""
    host, _, port = address.rpartition(":")
    try:
        if not 0 <= int(port) <= 65_535:
            raise ValueError(f"there is no port {port}")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host.strip("[]"), int(port)), family=family)
    except (OSError, ValueError) as error:
        raise BotSettingsError(
            f"{address} cannot be served: {error}. Give HOST:PORT, for instance 127.0.0.1:3000, "
            "with a port that is free."
        ) from error
