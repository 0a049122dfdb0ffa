"""Which third-party packages are shipped, and their wheels for the machines of EMR."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Literal

from crime_jobs.errors import CrimeJobsError

Architecture = Literal["x86_64", "arm64"]

#: EMR 7 has this Python beside 3.9.
PYTHON = "3.11"
#: Every node has these (and Java, which no package of ours brings).
ON_EMR = ("pyspark", "py4j")
#: Extras that jobs on EMR need: of faces what checks photographs and seals.
EXTRAS = ("spark", "faces")

#: What `uname -m` says.
_MACHINES: dict[Architecture, str] = {"x86_64": "x86_64", "arm64": "aarch64"}
#: The youngest glibc that a wheel may want: EMR 7 is Amazon Linux 2023, which has 2.34
#: (https://docs.aws.amazon.com/linux/al2023/ug/core-glibc.html).
_GLIBC = 34
#: The oldest glibc that wheels are made for, a machine, and their names from before PEP 600.
_OLDEST = {"x86_64": 5, "aarch64": 17}
_OLD_NAMES = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}


def platforms(architecture: Architecture) -> list[str]:
    """Return the platform tags of wheels that Amazon Linux 2023 loads, the best first.

    Parameters
    ----------
    architecture
        The processor.
    """
    machine = _MACHINES[architecture]
    tags = []
    for minor in range(_GLIBC, _OLDEST[machine] - 1, -1):
        tags.append(f"manylinux_2_{minor}_{machine}")
        if minor in _OLD_NAMES:
            tags.append(f"{_OLD_NAMES[minor]}_{machine}")
    return tags


def pins(
    architecture: Architecture, root: str = "crime-jobs", extras: tuple[str, ...] = EXTRAS
) -> dict[str, str]:
    """Find all that the jobs need, at the versions that are installed here.

    Parameters
    ----------
    architecture
        The processor that markers (``platform_machine == …``) are asked about.
    root, extras
        The distribution to begin with, and its extras.

    Returns
    -------
    dict
        Normalised name to version, sorted; without `ON_EMR` and what only those need.

    Raises
    ------
    CrimeJobsError
        If a package is needed there and not installed here, so that its version is not known.
    """
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    target = {
        "implementation_name": "cpython",
        "os_name": "posix",
        "platform_machine": _MACHINES[architecture],
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": f"{PYTHON}.9",  # Amazon Linux moves the last number; nothing should hang on it
        "python_version": PYTHON,
        "sys_platform": "linux",
    }
    found: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    todo = [(root, extra, "") for extra in ("", *extras)]
    while todo:
        name, of_extra, wanted_by = todo.pop()
        if (name, of_extra) in seen:
            continue
        seen.add((name, of_extra))
        try:
            installed = distribution(name)
        except PackageNotFoundError as error:
            raise CrimeJobsError(
                f"{name}, wanted by {wanted_by or 'this command'} on Linux, is not installed here: "
                "which version to ship is not known.",
                hint=f"`pip install '{root}[{','.join(extras)}]'` brings it, or `pip install {name}`.",
            ) from error
        if name != root:
            found[name] = installed.version
        for line in installed.requires or []:
            need = Requirement(line)
            needed = canonicalize_name(need.name)
            if needed in ON_EMR or (need.marker and not need.marker.evaluate({**target, "extra": of_extra})):
                continue
            todo += [(needed, other, name) for other in ("", *need.extras)]
    return dict(sorted(found.items()))


def download(wanted: dict[str, str], architecture: Architecture, folder: Path) -> list[Path]:
    """Fetch wheels with pip, from wherever the user's own pip configuration says.

    Parameters
    ----------
    wanted
        Name to version.
    architecture
        The processor.
    folder
        Where to put them.

    Returns
    -------
    list of Path
        One wheel a package.

    Raises
    ------
    CrimeJobsError
        If pip is missing or fails; the message says which package has no wheel that fits.
    """
    if importlib.util.find_spec("pip") is None:
        raise CrimeJobsError(
            f"{sys.executable} has no pip, which fetches the wheels for EMR.",
            hint=f"Install it: `{sys.executable} -m ensurepip`, or with uv: `uv pip install pip`.",
        )
    options = [f"--platform={tag}" for tag in platforms(architecture)]
    options += [
        "--abi=cp311",
        "--abi=abi3",
        "--abi=none",
        "--implementation=cp",
        f"--python-version={PYTHON}",
    ]
    command = [sys.executable, "-m", "pip", "download", "--no-input", "--no-deps", "--only-binary=:all:"]
    command += ["--progress-bar=off", f"--dest={folder}", *options]
    command += [f"{name}=={version}" for name, version in wanted.items()]
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        check=False,
        text=True,
    )
    if done.returncode:
        raise _failure(done.stdout, architecture)
    wheels = sorted(folder.glob("*.whl"))
    if len(wheels) != len(wanted):
        raise CrimeJobsError(
            f"pip fetched {len(wheels)} wheels for {len(wanted)} packages.", hint=done.stdout
        )
    return wheels


def _failure(said: str, architecture: Architecture) -> CrimeJobsError:
    errors = [line for line in said.splitlines() if line.startswith("ERROR:")] or said.splitlines()[-3:]
    short = " ".join(line.removeprefix("ERROR:").strip() for line in errors)
    missing = re.search(r"No matching distribution found for ([\w.-]+)==(\S+)", said)
    if not missing:
        return CrimeJobsError(
            f"pip could not fetch the wheels for EMR: {short}", hint="Try again, or see pip's configuration."
        )
    name, version = missing.groups()
    what = (
        f"{name} {version} has no wheel for Python {PYTHON} on Linux with glibc 2.{_GLIBC} ({architecture})"
    )
    if re.search(r"Retrying|Could not fetch URL|[Cc]onnection", said):
        hint = "The package index can't be reached: see `pip config list`, and the network."
    else:
        hint = (
            f"Install a version of {name} that has one (its file names say manylinux), run the tests, "
            "and package again."
        )
    return CrimeJobsError(f"{what}; pip says: {short}", hint=hint)
