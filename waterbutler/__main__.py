"""``python -m waterbutler``."""

import sys

from waterbutler.cli.main import main

sys.exit(main())
