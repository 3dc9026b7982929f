"""The server of a workspace while it runs: its port, its thread, its end."""

import errno

from aiohttp import web

from bot.workspace.background_loop import BackgroundLoop
from bot.workspace.errors import WorkspaceError

HOST = "127.0.0.1"
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
        """Serves, and returns the port; raises WorkspaceError where it is taken."""
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
