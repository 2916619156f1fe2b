"""The long form of tests, which takes minutes or hours and not seconds.

``LONG_TESTS=1`` asks for it; where a test says so, a larger number makes it so many times as long.
The name does not start as those of settings do: the programs that are tested refuse what they do
not know there.
"""

import os

SWITCH = "LONG_TESTS"
"""What is looked for in the environment."""
TIMES = float(os.environ.get(SWITCH) or 0)
"""How many times the usual long form; 0 for the short one."""
