"""Items a second of the migration, beside a plain boto3 ``batch_writer`` loop: same tables, same emulator.

``python -m benchmarks.migrate`` needs `make up`. The loop is what people write, and has the easier part:
its rows come out of memory. The migration reads them over JDBC from the database that `make up` starts. The
work is measured, not the start of Spark; memory is that of the whole tree of processes.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import psutil
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from benchmarks.measure import INTERVAL, _resident
from crime_harness.places import Places
from crime_harness.tools import find_java
from crime_jobs.settings import read_env_file

ROOT = Path(__file__).resolve().parent.parent
#: Beside a key, a row has so many counts, as the wide tables of the legacy schema do.
COUNTS = 30


@dataclass(frozen=True)
class Result:
    """One run."""

    what: str
    rows: int
    seconds: float
    peak: int

    @property
    def rate(self) -> float:
        """Items a second."""
        return self.rows / self.seconds


class Bench:
    """The running stack, and tables of the benchmark's own.

    Parameters
    ----------
    folder
        For scripts and mappings.
    variables
        Of the running stack.
    """

    def __init__(self, folder: Path, variables: dict[str, str]) -> None:
        self.folder, self.variables = folder, variables
        self.name = f"BENCH{uuid.uuid4().hex[:6].upper()}"
        self.env = {**os.environ, **variables}
        key = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        self.place = {"endpoint_url": variables["AWS_ENDPOINT_URL"], "region_name": "us-east-1", **key}

    def make(self, rows: int) -> None:
        """Make the source table."""
        counts = [f"HEAD_{n}" for n in range(COUNTS)]
        columns = ", ".join(f"{name} NUMBER(9)" for name in counts)
        values = ", ".join(f"MOD(X * {n + 7}, 5000)" for n in range(COUNTS))
        self._sql(
            f"CREATE TABLE {self.name} (ID NUMBER(9) PRIMARY KEY, PLACE VARCHAR2(80), {columns});\n"
            f"INSERT INTO {self.name} SELECT X, 'District ' || X, {values} FROM SYSTEM_RANGE(1, {rows});"
        )

    def forget(self) -> None:
        """Remove what was made."""
        self._sql(f"DROP TABLE IF EXISTS {self.name};")
        client: Any = boto3.client("dynamodb", **self.place)
        for table in client.list_tables()["TableNames"]:
            if table.startswith(self.name.lower()):
                client.delete_table(TableName=table)

    def migrate(self, rows: int, cores: int, parts: int) -> Result:
        """Migrate the table into a new one."""
        target = f"{self.name.lower()}-{uuid.uuid4().hex[:6]}"
        locator = {"schema-name": "CRIME", "table-name": self.name}
        rules = [
            {"rule-type": "selection", "rule-id": "1", "rule-name": "1", "rule-action": "include",
             "object-locator": locator},
            {"rule-type": "object-mapping", "rule-id": "2", "rule-name": "2", "object-locator": locator,
             "rule-action": "map-record-to-record", "target-table-name": target,
             "mapping-parameters": {"partition-key-name": "ID"}},
        ]  # fmt: skip
        mapping = self.folder / f"{target}.json"
        mapping.write_text(json.dumps({"rules": rules}))
        conf = self.folder / "spark.conf"
        base = Path(self.variables["CRIME_JOBS_SPARK_CONF"]).read_text(encoding="utf-8")
        conf.write_text(f"{base}spark.master local[{cores}]\n")
        told = {"task": target, "mappings": str(mapping), "part_rows": str(-(-rows // parts))}
        command = [
            sys.executable,
            "-m",
            "crime_jobs.cli",
            "run",
            "migrate",
            "--lake",
            str(self.folder / target),
        ]
        command += [word for name, value in told.items() for word in ("--set", f"{name}={value}")]
        peak = self._run(command, {"CRIME_JOBS_SPARK_CONF": str(conf)})
        return Result(f"migrate, local[{cores}], {parts} parts", rows, self._worked(target), peak)

    def _worked(self, task: str) -> float:
        """Seconds from the first part's first row to the last part's end, as the ledger has them."""
        from crime_jobs.migrate.ledger import Ledger

        parts = [
            facts for _, facts in Ledger(boto3.client("dynamodb", **self.place), task).entries("partition#")
        ]
        begun = min(part["began"] for part in parts)
        return float(max(part["ended"] for part in parts) - begun)

    def loop(self, rows: int, threads: int) -> Result:
        """Put the same rows with ``batch_writer``, by one thread or several."""
        table = f"{self.name.lower()}-{uuid.uuid4().hex[:6]}"
        script = f"from benchmarks.migrate import plain_loop; plain_loop({table!r}, {rows}, {threads})"
        out = self.folder / "seconds"
        peak = self._run([sys.executable, "-c", script], {"BENCH_OUT": str(out)})
        return Result(f"batch_writer, {threads} thread(s)", rows, float(out.read_text()), peak)

    def _run(self, command: list[str], variables: dict[str, str]) -> int:
        child = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**self.env, **variables},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        root, peak = psutil.Process(child.pid), 0
        said: list[bytes] = []
        reader = threading.Thread(target=lambda: said.append(child.stderr.read() if child.stderr else b""))
        reader.start()
        while child.poll() is None:
            peak = max(peak, _resident(root))
            time.sleep(INTERVAL)
        reader.join()
        if child.returncode:
            raise SystemExit(f"{command[2:5]} ended with {child.returncode}: {said[0].decode()[-800:]}")
        return peak

    def _sql(self, script: str) -> None:
        secret: Any = boto3.client("secretsmanager", **self.place).get_secret_value(
            SecretId=self.variables["CRIME_JOBS_ORACLE_SECRET"]
        )
        known = json.loads(secret["SecretString"])
        path = self.folder / "script.sql"
        path.write_text(script)
        java = find_java(Places.of(), self.folder / "java.log").command
        command = [java, "-cp", self.variables["CRIME_JOBS_SPARK_EXTRA_CLASSPATH"], "org.h2.tools.RunScript"]
        command += ["-url", self.variables["CRIME_JOBS_ORACLE_URL"], "-user", known["username"]]
        subprocess.run([*command, "-password", known["password"], "-script", str(path)], check=True)


def plain_loop(table: str, rows: int, threads: int) -> None:
    """Do what people write when they move a table by hand.

    Parameters
    ----------
    table
        Name of the new table.
    rows
        How many.
    threads
        How many loops side by side, each with its own share.
    """
    client: Any = boto3.client("dynamodb")
    client.create_table(
        TableName=table,
        AttributeDefinitions=[{"AttributeName": "ID", "AttributeType": "N"}],
        KeySchema=[{"AttributeName": "ID", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 1})

    def put(share: range) -> None:
        target = boto3.session.Session().resource("dynamodb").Table(table)
        with target.batch_writer() as batch:
            for row in share:
                counts = {f"HEAD_{n}": row * (n + 7) % 5000 for n in range(COUNTS)}
                batch.put_item(Item={"ID": row, "PLACE": f"District {row}", **counts})

    begun = time.monotonic()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(put, [range(1 + n, rows + 1, threads) for n in range(threads)]))
    Path(os.environ["BENCH_OUT"]).write_text(f"{time.monotonic() - begun}")


def show(results: list[Result]) -> None:
    """Print the table, which is Markdown too; ratios are to the first row."""
    names = list(dict.fromkeys((one.what, one.rows) for one in results))
    table = Table(title="Items into DynamoDB: median (least-most)", title_justify="left", box=MARKDOWN)
    for number, name in enumerate(("what", "items", "items/s", "x the loop", "peak MiB")):
        table.add_column(name, justify="right" if number else "left", no_wrap=True)
    base = statistics.median(one.rate for one in results if (one.what, one.rows) == names[0])
    for what, rows in names:
        rates = [one.rate for one in results if (one.what, one.rows) == (what, rows)]
        median, peak = statistics.median(rates), max(one.peak for one in results if one.what == what)
        spread = f"{median:,.0f} ({min(rates):,.0f}-{max(rates):,.0f})"
        table.add_row(what, f"{rows:,}", spread, f"{median / base:.2f}", f"{peak / 2**20:,.0f}")
    Console(width=120).print(table)


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.migrate", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=3)
    asked = parser.parse_args()
    state = os.environ.get("CRIME_HARNESS_STATE")
    variables = read_env_file(Places.of(Path(state) if state else None).env_file)
    print(f"Load average at the start: {os.getloadavg()[0]:.1f} ({os.cpu_count()} cores)", flush=True)
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="bench-migrate-") as folder:
        bench = Bench(Path(folder), variables)
        try:
            bench.make(asked.rows)
            cases: list[Callable[[], Result]] = [
                lambda: bench.loop(asked.rows, 1),
                lambda: bench.loop(asked.rows, 2),
                lambda: bench.migrate(asked.rows, 1, 1),
                lambda: bench.migrate(asked.rows, 2, 2),
                lambda: bench.migrate(asked.rows, 2, 8),
            ]
            for _ in range(asked.runs):
                for case in cases:
                    results.append(case())
                    print(f"{results[-1].what}: {results[-1].rate:,.0f} items/s", flush=True)
        finally:
            bench.forget()
    show(results)
    print(f"Repeat: python -m benchmarks.migrate --rows {asked.rows} --runs {asked.runs}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
