"""Status, readiness, metrics."""

from __future__ import annotations

from waterbutler.server.base import Handler
from waterbutler.server.metrics import CONTENT_TYPE
from waterbutler.version import __version__


class StatusHandler(Handler):
    """The process is there."""

    async def serve(self) -> None:
        """Answer."""
        self.write_json({"status": "up", "version": __version__})


class ReadyHandler(Handler):
    """The server can serve, or says why it cannot."""

    async def serve(self) -> None:
        """Ask everything that requests depend on."""
        reasons = await self.context.readiness()
        state = self.context.state
        if state.stopping and not state.replaced:
            reasons.append("The server is stopping.")
        status = {"status": "unavailable" if reasons else "ready", "reasons": reasons}
        if reasons:
            self.write_json(
                {"code": 503, "message": "The server is not ready.", **status}, status=503
            )
        else:
            self.write_json(status)


class MetricsHandler(Handler):
    """Numbers for Prometheus."""

    async def serve(self) -> None:
        """Show them."""
        self.set_header("Content-Type", CONTENT_TYPE)
        self.write(self.context.metrics.render())
