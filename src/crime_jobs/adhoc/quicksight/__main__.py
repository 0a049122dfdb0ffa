"""Writes ``cloud/quicksight.yaml``: ``python -m crime_jobs.adhoc.quicksight``."""

from __future__ import annotations

from pathlib import Path

from crime_jobs.adhoc.quicksight.rendering import PATH, rendered

if __name__ == "__main__":
    Path(str(PATH)).write_text(rendered(), encoding="utf-8")
