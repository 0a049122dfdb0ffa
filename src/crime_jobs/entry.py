"""The entry point of ``spark-submit``: the same arguments as ``crime-jobs run``.

``spark-submit entry.py crime_by_region --landing s3://… --lake s3://…``
"""

from __future__ import annotations

import sys

from crime_jobs.cli import main

if __name__ == "__main__":
    sys.exit(main(["run", *sys.argv[1:]]))
