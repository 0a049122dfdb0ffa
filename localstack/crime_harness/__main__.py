"""``python -m crime_harness``."""

from __future__ import annotations

import sys

from crime_harness.cli import main

sys.exit(main())
