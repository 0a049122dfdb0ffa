"""Has the calls recorded that the code makes in a test run, and says which of them the committed file lacks."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

SITE = Path(__file__).parent / "site"
VARIABLE = "RECORDED_CALLS"


def start(root: Path) -> None:
    """Record in this process and in all that it starts, unless another does so already."""
    if VARIABLE not in os.environ:
        os.environ[VARIABLE] = str(root / "build" / "recorded-calls" / str(os.getpid()))
    paths = [str(SITE), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(os.pathsep.join(paths).split(os.pathsep)))
    if str(SITE) not in sys.path:
        sys.path.append(str(SITE))
    importlib.import_module("calls_recorder").install(os.environ[VARIABLE])
