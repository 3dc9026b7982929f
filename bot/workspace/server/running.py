"""The server of a workspace while it runs: its port, and its event loop in a thread of its own."""

import asyncio
import errno
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from aiohttp import web

from bot.workspace.errors import WorkspaceError

Result = TypeVar("Result")


class BackgroundLoop:
    """Runs until `close`; may be used from any thread but its own."""

    def __init__(self, name: str, *, timeout: float) -> None:
        self._timeout = timeout
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """Runs a coroutine there and returns its result; TimeoutError where it is stuck."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(self._timeout)

    def call(self, operation: Callable[[], Result]) -> Result:
        """Calls a function there and returns its result."""

        async def run() -> Result:
            return operation()

        return self.run(run())

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


HOST = "127.0.0.1"
_LAST_PORT = 65_535
ACTION_TIMEOUT = 10.0
"""Seconds an action from another thread may take before it counts as stuck."""


class Running:
    """Serves one site on this machine from a thread of its own."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._loop: BackgroundLoop | None = None
        self._runner: web.AppRunner | None = None

    @property
    def loop(self) -> BackgroundLoop:
        if self._loop is None:
            raise WorkspaceError("The workspace does not run; start it first.")
        return self._loop

    def start(self, site: web.Application) -> int:
        """Serves, and returns the port; raises WorkspaceError where it is taken, or is none."""
        if not 0 <= self._port <= _LAST_PORT:
            raise WorkspaceError(
                f"There is no port {self._port}; choose one up to {_LAST_PORT} with --port."
            )
        self._loop = BackgroundLoop("workspace", timeout=ACTION_TIMEOUT)
        try:
            return self._loop.run(self._serve(site))
        except OSError as error:
            self.stop()
            if error.errno != errno.EADDRINUSE:
                raise WorkspaceError(f"The workspace cannot listen: {error.strerror}.") from error
            raise WorkspaceError(
                f"Port {self._port} is already in use; choose another with --port."
            ) from error

    def stop(self) -> None:
        """Closes every connection; does nothing where nothing runs."""
        if self._loop is None:
            return
        if self._runner is not None:
            self._loop.run(self._runner.cleanup())
        self._loop.close()
        self._loop = self._runner = None

    async def _serve(self, site: web.Application) -> int:
        runner = web.AppRunner(site, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        self._runner = runner
        await web.TCPSite(runner, HOST, self._port).start()
        return int(runner.addresses[0][1])
