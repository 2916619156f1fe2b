"""Telling the host what happened, until it has heard it."""

from waterbutler.callbacks.document import document_of
from waterbutler.callbacks.sender import CallbackSink, Schedule
from waterbutler.callbacks.spool import Spool

__all__ = ["CallbackSink", "Schedule", "Spool", "document_of"]
