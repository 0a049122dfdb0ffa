"""``python -m crime_jobs.hivesql`` writes the scripts that are made from the model."""

from __future__ import annotations

import sys
from pathlib import Path

from crime_jobs.hive_scripts import folder
from crime_jobs.hivesql._ddl import GENERATED

for name, make in GENERATED.items():
    path = Path(str(folder() / name))
    path.write_text(make(), encoding="utf-8")
    sys.stdout.write(f"{path}\n")
