"""Time and bytes of shipping the code: the first time, when nothing changed, after one line changed.

``python -m benchmarks.emr_package`` needs `make up`. Beside it, if it is installed in ``.venvs/emr-cli``
(``python3.11 -m venv .venvs/emr-cli && .venvs/emr-cli/bin/pip install emr-cli setuptools``), awslabs' emr-cli
with its one kind of project of several files that needs no Docker: it zips the ``.py`` files, and ships
neither data files nor dependencies.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from rich.console import Console
from rich.table import Table

from crime_harness.places import Places
from crime_jobs.settings import read_env_file

ROOT = Path(__file__).resolve().parent.parent
OTHER = ROOT / ".venvs" / "emr-cli" / "bin" / "emr"


@dataclass
class Case:
    """A row of the table: seconds of each run, and what one run sent."""

    what: str
    seconds: list[float]
    files: int
    sent: int


class Bench:
    """The place that is shipped to, and the processes that do it.

    Parameters
    ----------
    folder
        For copies and caches.
    variables
        Of the running stack.
    """

    def __init__(self, folder: Path, variables: dict[str, str]) -> None:
        self.folder = folder
        self.env = {**os.environ, **variables, "PYTHONPATH": str(folder / "src")}
        self.s3: Any = boto3.client(
            "s3",
            endpoint_url=variables["AWS_ENDPOINT_URL"],
            region_name=variables["AWS_REGION"],
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 - LocalStack takes any
        )
        self.bucket, self.made = "", list[str]()
        shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))

    def fresh_bucket(self) -> None:
        """Ship to an empty bucket from now on."""
        self.bucket = f"bench-{uuid.uuid4().hex[:12]}"
        self.s3.create_bucket(Bucket=self.bucket)
        self.made.append(self.bucket)

    def objects(self) -> dict[str, tuple[int, Any]]:
        """Return key to size and date."""
        found = self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", [])
        return {item["Key"]: (item["Size"], item["LastModified"]) for item in found}

    def case(self, what: str, run: Callable[[], None], runs: int, before: Callable[[int], None]) -> Case:
        """Measure a command some times, each after `before`."""
        case = Case(what, [], 0, 0)
        for number in range(runs):
            before(number)
            there = self.objects()
            time.sleep(1.1)  # S3 dates to the second, and what is sent twice is told by its date
            started = time.perf_counter()
            run()
            case.seconds.append(time.perf_counter() - started)
            new = [size for key, (size, date) in self.objects().items() if there.get(key) != (size, date)]
            case.files, case.sent = len(new), sum(new)
        return case

    def ours(self) -> None:
        """Ship as we do."""
        command = [sys.executable, "-m", "crime_jobs.cli", "package", "--output", "json"]
        self.call([*command, f"--artifacts=s3://{self.bucket}/jobs"], self.folder)

    def theirs(self) -> None:
        """Ship the code with emr-cli."""
        # Its own environment must not see ours.
        env = {name: value for name, value in self.env.items() if name != "PYTHONPATH"}
        entry = ["--entry-point", "entry.py"]
        self.call([str(OTHER), "package", *entry], self.folder / "project", env)
        uri = f"s3://{self.bucket}/jobs"
        self.call([str(OTHER), "deploy", *entry, "--s3-code-uri", uri], self.folder / "project", env)

    def call(self, command: Sequence[str], where: Path, env: dict[str, str] | None = None) -> None:
        """Run a command; its output is shown if it fails."""
        done = subprocess.run(
            command, cwd=where, env=env or self.env, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")

    def change_a_line(self, number: int) -> None:
        """Change one line of the code."""
        path = self.folder / "src" / "crime_jobs" / "lake.py"
        path.write_text(path.read_text(encoding="utf-8") + f"# {number}\n", encoding="utf-8")

    def empty_caches(self, number: int) -> None:
        """Begin with nothing: neither our cache nor pip's."""
        self.env["XDG_CACHE_HOME"] = str(self.folder / f"cache-{number}")
        self.fresh_bucket()

    def close(self) -> None:
        """Remove what was shipped."""
        for bucket in self.made:
            self.bucket = bucket
            for key in self.objects():
                self.s3.delete_object(Bucket=self.bucket, Key=key)
            self.s3.delete_bucket(Bucket=self.bucket)


def measure(bench: Bench, runs: int) -> list[Case]:
    """Measure all cases.

    Parameters
    ----------
    bench
        Where.
    runs
        How often; the first time of all is measured once.

    Returns
    -------
    list of Case
    """

    def nothing(_: int) -> None:
        pass

    def new_bucket(_: int) -> None:
        bench.fresh_bucket()

    cases = [
        bench.case("crime-jobs: first time, empty caches", bench.ours, 1, bench.empty_caches),
        bench.case("crime-jobs: another bucket, environment cached", bench.ours, runs, new_bucket),
        bench.case("crime-jobs: nothing changed", bench.ours, runs, nothing),
        bench.case("crime-jobs: one line changed", bench.ours, runs, bench.change_a_line),
    ]
    if OTHER.exists():
        project = bench.folder / "project"
        shutil.copytree(bench.folder / "src", project)
        shutil.copy(project / "crime_jobs" / "entry.py", project / "entry.py")
        bench.fresh_bucket()
        cases += [
            bench.case("emr-cli, code only: first time", bench.theirs, 1, nothing),
            bench.case("emr-cli, code only: nothing changed", bench.theirs, runs, nothing),
        ]
    return cases


def show(cases: Sequence[Case]) -> None:
    """Print the table.

    Parameters
    ----------
    cases
        As measured.
    """
    table = Table(title="Shipping the code: seconds, and files and bytes sent", title_justify="left")
    for name in ("case", "median s", "slowest s", "files", "bytes"):
        table.add_column(name, justify="left" if name == "case" else "right", no_wrap=True)
    for case in cases:
        median, slowest = statistics.median(case.seconds), max(case.seconds)
        table.add_row(case.what, f"{median:.2f}", f"{slowest:.2f}", f"{case.files}", f"{case.sent:,}")
    Console(width=110).print(table)  # nothing is cut where the output is no terminal
    print(f"Repeat: python -m benchmarks.emr_package   (load average {os.getloadavg()[0]:.1f})")
    if not OTHER.exists():
        print("emr-cli is not installed in .venvs/emr-cli: not measured.")


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    state = os.environ.get("CRIME_HARNESS_STATE")
    variables = read_env_file(Places.of(Path(state) if state else None).env_file)
    with tempfile.TemporaryDirectory(prefix="bench-package-") as folder:
        bench = Bench(Path(folder), variables)
        try:
            show(measure(bench, runs))
        finally:
            bench.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
