"""Hive scripts: run here by Spark SQL with a Derby metastore, on EMR as they are.

`run_script` is what ``crime-jobs hive`` calls.
"""

from crime_jobs.hivesql._ddl import lake_ddl, landing_ddl
from crime_jobs.hivesql._runner import Result, run_script, session_conf
from crime_jobs.hivesql._stage import stage, stage_landing

__all__ = [
    "Result",
    "lake_ddl",
    "landing_ddl",
    "run_script",
    "session_conf",
    "stage",
    "stage_landing",
]
