"""The old Oracle as a server of the harness: H2 in its Oracle mode, filled with what a migration moves."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import socket
import struct
import subprocess
import sys
from pathlib import Path

from crime_harness.files import make_once, only_one
from crime_harness.install import Installed
from crime_harness.places import ROOT, Places, digest, jars, port_beside
from crime_harness.stack import NOT_PASSED_ON
from crime_harness.steps import Steps
from crime_harness.supervisor import Server
from crime_jobs.errors import JobFailed
from crime_jobs.migrate.oracle import schema_sql, seed
from crime_jobs.model.legacy import SCHEMA

NAME = "oracle"

#: From LocalStack's port to this one's, beyond the engines'.
OFFSET = 2000

USER = SCHEMA
#: A dummy, as LocalStack's credentials are: what it opens is on 127.0.0.1, and made of public figures.
PASSWORD = "legacy"  # noqa: S105
#: The secret that holds both; ``localstack/init/ready.d/40_migration.py`` makes it.
SECRET = "crime-jobs/oracle"  # noqa: S105 - its name

#: H2's protocol: the version spoken here, requests, and the answer that all is well.
_VERSION, _SET_ID, _CLOSE, _OK = 18, 12, 1, 1

#: H2 forgets it with each start, and lets only an administrator change it: who opens the database decides.
_MODE = "Oracle"

#: Before the schema. The user owns it and is no administrator, as an application's user in Oracle is none. H2
#: has no TO_CLOB of its own. It would write statements that fail, and so texts of records, into a trace file.
_PRELUDE = f"""\
SET TRACE_LEVEL_FILE 0;
SET DB_CLOSE_DELAY -1;
CREATE USER {USER} PASSWORD '{PASSWORD}';
CREATE SCHEMA {SCHEMA} AUTHORIZATION {USER};
SET SCHEMA {SCHEMA};
CREATE ALIAS TO_CLOB FOR "org.h2.value.ValueClob.createSmall(java.lang.String)";
"""

#: Quick to start: such a server lives for minutes, and is idle for most of them.
_JAVA = ("-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")


def port_of(localstack: int) -> int:
    """Return its port.

    Parameters
    ----------
    localstack
        LocalStack's port.

    Returns
    -------
    int
    """
    return port_beside(localstack, OFFSET)


def address(port: int) -> str:
    """Return its address for people, as H2 itself writes it.

    Parameters
    ----------
    port
        Its port.

    Returns
    -------
    str
    """
    return f"tcp://127.0.0.1:{port}"


def url(port: int) -> str:
    """Return its JDBC URL.

    Parameters
    ----------
    port
        Its port.

    Returns
    -------
    str
    """
    return f"jdbc:h2:{address(port)}/./crime;MODE={_MODE};SCHEMA={SCHEMA};IFEXISTS=TRUE"


def server(places: Places, installed: Installed, localstack: int) -> Server:
    """Return it as a server to run.

    Parameters
    ----------
    places
        Where its files are.
    installed
        What it runs on.
    localstack
        LocalStack's port.

    Returns
    -------
    Server
    """
    port = port_of(localstack)
    command = [
        *(installed.java.command, *_JAVA, "-Dh2.bindAddress=127.0.0.1", "-cp", str(_h2(installed))),
        *("org.h2.tools.Server", "-tcp", "-tcpPort", str(port), "-ifExists"),
        *("-baseDir", str(files(places))),
    ]
    passed = {name: value for name, value in os.environ.items() if not name.startswith(NOT_PASSED_ON)}
    return Server(NAME, port, tuple(command), passed, lambda: answers(port), patience=60)


def files(places: Places) -> Path:
    """Return the folder of its files, which ``down`` throws away.

    Parameters
    ----------
    places
        The stack's places.
    """
    return places.run / NAME


def lay_out(places: Places, installed: Installed, steps: Steps) -> None:
    """Put the filled database where the server looks for it; the first time it is made, later copied.

    Parameters
    ----------
    places
        Where to, and where it is kept.
    installed
        What it is made with.
    steps
        Says that somebody else is at it.

    Raises
    ------
    JobFailed
        If the database refuses the schema or a row.
    """
    shutil.rmtree(files(places), ignore_errors=True)
    with only_one(places.cache / "lock", steps.console):
        made = make_once(places.cache / f"oracle-rows-{_made_of()}", lambda part: _fill(part, installed))
        shutil.copytree(made, files(places))


def _made_of() -> str:
    """Return a hash of all that decides what is in the database."""
    rooms = ("crime_jobs.model", "crime_jobs.migrate.oracle")
    modules = [module for name, module in list(sys.modules.items()) if name.startswith(rooms)]
    code = [Path(module.__file__) for module in modules if module.__file__]
    vocabulary = (ROOT / "src" / "crime_jobs" / "model" / "vocabulary").glob("*.*")
    sources = {*code, *vocabulary, *(ROOT / "data").glob("*.csv")}
    texts = [path.read_text(encoding="utf-8") for path in sorted(sources)]
    return digest(_PRELUDE, schema_sql(), *jars("oracle"), *texts)


def _fill(folder: Path, installed: Installed) -> None:
    script = folder / "fill.sql"
    with script.open("w", encoding="utf-8", newline="\n") as out:
        out.write(_PRELUDE + schema_sql())
        seed.write_sql(out, seed.read_landing(ROOT / "data"))
    run_script(installed, script, f"jdbc:h2:{folder / 'crime'};MODE={_MODE}")
    script.unlink()


def run_script(installed: Installed, script: Path, where: str) -> None:
    """Run a script in a new database, as an administrator that nobody knows later.

    Parameters
    ----------
    installed
        What to run it with.
    script
        The script.
    where
        JDBC URL of the database.

    Raises
    ------
    JobFailed
        If a statement fails. H2 quotes it, so what it says is neither shown nor kept: it may hold texts of
        records.
    """
    said = subprocess.run(
        [
            *(installed.java.command, *_JAVA, "-cp", str(_h2(installed)), "org.h2.tools.RunScript"),
            *("-url", where, "-user", "SA", "-password", secrets.token_hex(16), "-script", str(script)),
        ],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if said.returncode:
        found = re.search(r"\[(\d+-\d+)\]", said.stdout + said.stderr)
        code = found[1] if found else "unknown"
        raise JobFailed(
            f"The old Oracle could not be filled: H2 refused a statement (error {code}).",
            hint="To see which, write the script with `python -m crime_jobs.migrate.oracle.seed --out x.sql` "
            "and run it after schema.sql with H2's RunScript.",
        )


def _h2(installed: Installed) -> Path:
    return next(installed.oracle.glob("h2-*.jar"))


def answers(port: int) -> None:
    """Log in, so that the database is opened in the mode in which it stays until the end, and hang up.

    Parameters
    ----------
    port
        Its port.

    Raises
    ------
    OSError
        If nobody answers, or it doesn't let us in.
    """
    password = hashlib.sha256(f"{USER}@{PASSWORD}".encode("utf-16-be")).digest()
    hello = struct.pack(">ii", _VERSION, _VERSION) + _text("./crime") + _text(url(port)) + _text(USER)
    hello += struct.pack(">i", len(password)) + password + struct.pack(">ii", -1, 1)
    hello += _text("MODE") + _text(_MODE)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as link:
        link.sendall(hello)
        version = _numbers(link, 2)
        if version != (_OK, _VERSION):
            raise OSError(f"it does not speak version {_VERSION} of H2's protocol")
        link.sendall(struct.pack(">i", _SET_ID) + _text("0" * 64))
        if _numbers(link, 1) != (_OK,):
            raise OSError(f"it does not let {USER} in")
        link.recv(1)  # whether it commits by itself
        link.sendall(struct.pack(">i", _CLOSE))
        _numbers(link, 1)


def _text(text: str) -> bytes:
    return struct.pack(">i", len(text)) + text.encode("utf-16-be")


def _numbers(link: socket.socket, count: int) -> tuple[int, ...]:
    wanted = 4 * count
    found = b""
    while len(found) < wanted:
        more = link.recv(wanted - len(found))
        if not more:
            raise OSError("it hung up")
        found += more
    return struct.unpack(f">{count}i", found)


def settings(port: int) -> dict[str, str]:
    """Return the variables with which programs find it.

    Parameters
    ----------
    port
        Its port.

    Returns
    -------
    dict
    """
    return {"CRIME_JOBS_ORACLE_URL": url(port), "CRIME_JOBS_ORACLE_SECRET": SECRET}
