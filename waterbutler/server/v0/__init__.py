"""The legacy v0 dialect, for clients that still speak it."""
