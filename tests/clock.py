"""A clock for one module under test. Not a test."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any


def clock_with(**given: Any) -> SimpleNamespace:
    """Give `time` with other functions, for ``monkeypatch.setattr(module, "time", …)``.

    What stands in for ``time.sleep`` itself is called by all threads of the test process, Spark's gateway among
    them.
    """
    return SimpleNamespace(**{**vars(time), **given})
