"""Python runs this in each process that has this folder on its path: there calls are recorded when asked for."""

from __future__ import annotations

import importlib
import os

if os.environ.get("RECORDED_CALLS"):
    importlib.import_module("calls_recorder").install(os.environ["RECORDED_CALLS"])
