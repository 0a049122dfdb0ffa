"""The entry point of ``spark-submit``: the arguments of ``crime-jobs run``, or ``hive`` and its own.

``spark-submit entry.py crime_by_region --landing s3://… --lake s3://…``
"""

from __future__ import annotations

import sys

from crime_jobs.cli import main

if __name__ == "__main__":
    given = sys.argv[1:]
    sys.exit(main(given if given[:1] == ["hive"] else ["run", *given]))
