"""What is the same for every storage: functions over `Provider`."""

from waterbutler.engine.archive import zip_folder
from waterbutler.engine.naming import Target, choose_target
from waterbutler.engine.transfer import Outcome, copy, move
from waterbutler.engine.walk import walk

__all__ = ["Outcome", "Target", "choose_target", "copy", "move", "walk", "zip_folder"]
