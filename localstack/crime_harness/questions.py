"""What ``crime-jobs sql`` finds after ``make up``: a lake that was built, a workgroup, tables, questions."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from crime_harness import stack
from crime_harness.places import ROOT, Places
from crime_jobs.adhoc.setup import set_up
from crime_jobs.model.tables import TABLES
from crime_jobs.settings import Settings, read_env_file

WORKGROUP = "crime"
#: Of ``localstack/init/ready.d/60_questions.py``.
RESULTS = "s3://crime-questions/results/"
#: Bytes that a query may scan; the sample has 2 MB.
LIMIT = 1_000_000_000
REPORT = "_report.json"


def lay_out(places: Places) -> None:
    """Make the workgroup, and what ``crime-jobs sql setup`` makes; twice is harmless.

    Parameters
    ----------
    places
        The stack's places; its ``up.env`` is written.
    """
    env = read_env_file(places.env_file)
    athena = stack.client("athena", env["AWS_ENDPOINT_URL_ATHENA"])
    if WORKGROUP not in {one["Name"] for one in athena.list_work_groups()["WorkGroups"]}:
        athena.create_work_group(
            Name=WORKGROUP,
            Description="Questions about the lake",
            Configuration={
                "ResultConfiguration": {"OutputLocation": RESULTS},
                "EnforceWorkGroupConfiguration": True,
                "PublishCloudWatchMetricsEnabled": False,
                "BytesScannedCutoffPerQuery": LIMIT,
            },
        )
    settings = Settings(
        env="localstack",
        region=stack.REGION,
        landing=stack.LANDING,
        lake=stack.LAKE,
        spark_conf=None,
        sql={"workgroup": WORKGROUP},
        sources={},
        environ={},
    )
    with _only(env):
        set_up(settings)


@contextmanager
def _only(env: Mapping[str, str]) -> Iterator[None]:
    """Have this process see the stack's AWS variables, and none of the user's."""
    before = dict(os.environ)
    for name in before:
        if name.startswith("AWS_"):
            del os.environ[name]
    os.environ.update(env)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def copy_lake(endpoint: str, lake: Path = ROOT / "build" / "lake", to: str = stack.LAKE) -> int:
    """Copy a lake that was built on this machine to the stack's, table by table.

    Parameters
    ----------
    endpoint
        LocalStack's address.
    lake
        The lake's folder; ``make demo`` builds it.
    to
        Where to.

    Returns
    -------
    int
        Files.
    """
    s3 = stack.client("s3", endpoint)
    bucket, _, prefix = to.removeprefix("s3://").partition("/")
    files = [
        path
        for table in TABLES
        if (lake / table / REPORT).is_file()
        for path in sorted((lake / table).rglob("*"), key=lambda p: p.name == REPORT)  # the report last
        if path.is_file() and not path.name.startswith(".")
    ]

    def put(path: Path) -> None:
        s3.put_object(Bucket=bucket, Key=f"{prefix}/{path.relative_to(lake)}", Body=path.read_bytes())

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(put, files))
    return len(files)
