"""The face engine as a service of its own: Rekognition's API for faces, on a machine of one's own.

``python -m crime_engines.rekognition --state DIR`` listens on 127.0.0.1 for anyone there. To be reached from
elsewhere it needs TLS, clients that sign, and an audit log. docs/face-engine.md tells of all.
"""

from __future__ import annotations

import argparse
import fcntl
import logging
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from crime_engines.control import Control
from crime_engines.rekognition import clients as clients_file
from crime_engines.rekognition import serving
from crime_engines.rekognition.auditing import Audit
from crime_engines.rekognition.clients import Unusable
from crime_engines.rekognition.guard import Guard
from crime_engines.rekognition.pictures import Pictures
from crime_engines.rekognition.service import Rekognition

log = logging.getLogger("crime_engines")

#: As crime-jobs has it: wrong usage.
USAGE = 2


@dataclass(frozen=True)
class Place:
    """Where the service runs.

    Parameters
    ----------
    state
        Folder of the collections.
    storage
        S3.
    """

    state: Path
    storage: Pictures


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop.

    Parameters
    ----------
    arguments
        The command line; that of this process if not given.

    Returns
    -------
    int
        0, or 2 with a reason on stderr if it is not safe or not possible to start like this.
    """
    given = _parser().parse_args(arguments)
    # No bodies, no arguments: they may name people.
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    for name in ("botocore", "boto3", "urllib3"):
        logging.getLogger(name).setLevel(logging.WARNING)
    os.umask(0o077)
    try:
        _check(given)
        known = clients_file.read(given.clients) if given.clients else None
        audit = Audit(given.audit) if given.audit else None
        held = _hold(given.state)
        place = Place(given.state.absolute(), Pictures(given.s3_endpoint, given.region))
        guard = Guard(Rekognition(place, Control()), given.region, known, audit)
        server = serving.server(
            serving.application(guard, known is None), given.tls_certificate, given.tls_key
        )
        listening = serving.listen(given.listen, given.port)
    except Unusable as error:
        sys.stderr.write(f"error: {error}\n")
        return USAGE
    scheme = "https" if given.tls_certificate else "http"
    log.info("The face engine is at %s://%s:%s", scheme, given.listen, listening.getsockname()[1])
    with held:
        server.run(sockets=[listening])
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m crime_engines.rekognition",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add: Any = parser.add_argument
    add("--listen", default="127.0.0.1", help="address to listen at")
    add("--port", type=int, default=8443, help="0 takes a free one")
    add("--state", type=Path, required=True, help="folder of the collections and their key")
    add("--region", default="us-east-1", type=_region, help="the region that clients sign for")
    add("--tls-certificate", type=Path, help="PEM, with the chain")
    add("--tls-key", type=Path, help="PEM, for its owner only")
    add("--clients", type=Path, help="TOML: who may ask for what; for its owner only")
    add("--audit", type=Path, help="file to which each call of a client is added")
    add("--s3-endpoint", help="of an S3 that is not AWS's")
    return parser


def _region(text: str) -> str:
    if not re.fullmatch(r"[a-z]{2,}(-[a-z]+)+-\d", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no region, like us-east-1")
    return text


def _check(given: argparse.Namespace) -> None:
    if bool(given.tls_certificate) != bool(given.tls_key):
        raise Unusable("--tls-certificate and --tls-key go together")
    needed = {"--tls-certificate": given.tls_certificate, "--clients": given.clients, "--audit": given.audit}
    missing = [name for name, value in needed.items() if value is None]
    if missing and given.listen not in serving.THIS_MACHINE:
        raise Unusable(
            f"--listen {given.listen} can be reached from other machines, and faces are not for everyone: "
            f"give {', '.join(missing)} too, or listen on 127.0.0.1"
        )


def _hold(state: Path) -> IO[str]:
    """Take the folder for this process: another one would not see what this one keeps in memory."""
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = (state / "lock").open("w", encoding="utf-8")
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise Unusable(f"{state} is in use by another face engine") from error
    except OSError as error:
        raise Unusable(f"{state} can't be written: {error.strerror}") from error
    return file


if __name__ == "__main__":
    sys.exit(main())
