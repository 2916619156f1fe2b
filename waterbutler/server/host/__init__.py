"""The embedded host over HTTP: the auth endpoint, the hooks, the log callback."""

from waterbutler.server.host.routes import host_rules

__all__ = ["host_rules"]
