"""Fixtures of all tests: one Spark session, and one lake built from the real data."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.policies import recording

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from crime_jobs.settings import Settings

# How long an example takes says how busy the machine is, not whether the code is right.
hypothesis.settings.register_profile("crime-jobs", deadline=None)
hypothesis.settings.load_profile("crime-jobs")

# A shell that starts us in the background has us ignore Ctrl-C, and so would all that a test interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "data"

recording.start(ROOT)

Mount = Callable[..., Path]


#: Tests with servers that may run beside the others of their room: each group has a stack of its own.
SERVERS = {
    "migration": ("dms", "export", "migrate", "migration", "oracle", "validate"),
    "streams": (
        *("alerts", "analytics", "consumer", "history", "producer", "reconcile", "sealing"),
        *("athena", "four", "sql"),
    ),
    "faces": ("faces", "rekognition"),
    "spark": ("harness",),  # stacks of their own
}


#: Tests of jobs that land files of their own, and hardly need the lake that the others wait for.
LANDING = ("clean", "lake", "landing")


class Rooms(LoadScopeScheduling):  # type: ignore[misc]
    """Gives whole rooms of tests to the test processes: a process has one stack and one Spark session."""

    def _split_scope(self, nodeid: str) -> str:
        room, _, name = nodeid.partition("::")[0].removeprefix("tests/").partition("/")
        if room == "unit":
            return name
        first = name.removeprefix("test_").removesuffix(".py").partition("_")[0]
        if room == "jobs" and first in LANDING:
            return "landing"
        if room != "localstack":
            return "spark"
        return next((group for group, names in SERVERS.items() if first in names), "servers")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs LocalStack by where it stands: a file that forgets to would run in `make test`."""
    for item in items:
        if item.path.is_relative_to(ROOT / "tests/localstack"):
            item.add_marker(pytest.mark.localstack)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hold what the code called of AWS against the policies."""
    recording.finish(session)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Rooms:
    """Say which tests run in one process when several share them (``--dist loadscope``)."""
    return Rooms(config, log)


@pytest.fixture(scope="session", autouse=True)
def _no_ambient_settings() -> Iterator[None]:
    """Tests see only what they set: no profile, region, endpoint or lake of the person running them."""
    patch = pytest.MonkeyPatch()
    for name in list(os.environ):
        if name.startswith(("AWS_", "CRIME_JOBS_")):
            patch.delenv(name)
    yield
    patch.undo()


@pytest.fixture(scope="session", autouse=True)
def _spark_starts_sooner(request: pytest.FixtureRequest, _no_ambient_settings: None) -> Iterator[None]:
    """Where tests start many a Spark, each takes its classes from an archive, and starts in half the time."""
    with pytest.MonkeyPatch.context() as patch:
        many = ("localstack", "hive", "faults")
        if any(item.get_closest_marker(name) for item in request.session.items for name in many):
            from crime_harness import class_sharing

            patch.setenv("SPARK_SUBMIT_OPTS", class_sharing.options())
        yield


@pytest.fixture(autouse=True)
def _region_of_one_test() -> Iterator[None]:
    """A command sets its environment's region for its process: the next test is another process's."""
    before = {name: os.environ.get(name) for name in ("AWS_REGION", "AWS_DEFAULT_REGION")}
    yield
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def make_settings(landing: Path | str, lake: Path | str) -> Settings:
    """Settings of the local environment with the given folders."""
    from crime_jobs import settings

    return settings.load("local", {"landing": str(landing), "lake": str(lake)}, environ={}, folder=ROOT)


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """The one Spark session, configured as the jobs configure it."""
    from crime_jobs import spark as spark_module

    place = tmp_path_factory.mktemp("spark")
    session = spark_module.start(make_settings(DATA, place), "tests")
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


@pytest.fixture(scope="session")
def built_lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with every table, built by the real jobs from the real files; not to be written to.

    The first of several test processes builds it, the others wait for it.
    """
    from crime_jobs.jobs._runner import run_in
    from crime_jobs.registry import find

    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # the one above those of the processes
    lake, built = folder / "built-lake", folder / "built-lake.done"
    with (folder / "built-lake.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not built.exists():
            run_in(spark, find("all"), make_settings(DATA, lake))
            built.touch()
    return lake


@pytest.fixture
def landing(tmp_path: Path) -> Callable[..., Path]:
    """Make a landing folder: real files by name (shortened to some lines), or content as given."""

    def make(*names: str, **contents: bytes | str) -> Path:
        folder = tmp_path / "landing"
        folder.mkdir(exist_ok=True)
        for name in names:
            shutil.copy(DATA / name, folder / name)
        for stem, content in contents.items():
            raw = content.encode() if isinstance(content, str) else content
            (folder / f"{stem}.csv").write_bytes(raw)
        return folder

    return make


#: Begins the name of what tests mount; the id of their process ends it.
MOUNTED = "crime-jobs-tests-"


def _unmount_of_killed() -> None:
    """Unmount what a killed test process left: pytest could not remove its folders."""
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        source, folder = line.split()[:2]
        if source.startswith(MOUNTED) and not Path("/proc", source.removeprefix(MOUNTED)).exists():
            subprocess.run(["umount", "-l", folder], check=False, capture_output=True)


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    """Mount a small file system in memory; needs root, or a machine that lets users have namespaces."""
    mounted: list[Path] = []
    _unmount_of_killed()

    def make(*options: str) -> Path:
        folder = tmp_path / f"mount{len(mounted)}"
        folder.mkdir()
        made = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", ",".join(options), f"{MOUNTED}{os.getpid()}", str(folder)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if made.returncode:
            pytest.skip(f"this machine does not let us mount a small disk: {made.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield make
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)
