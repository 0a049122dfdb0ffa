"""The engines as a server of the harness: what answers for the services that LocalStack lacks."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from crime_harness import oracle
from crime_harness.install import Installed
from crime_harness.places import Places, port_beside
from crime_harness.stack import NOT_PASSED_ON, class_path_of, fetch
from crime_harness.supervisor import Server

NAME = "engines"

#: From LocalStack's port to the engines': beyond those that LocalStack gives to its services (4510 to 4559).
OFFSET = 1000

#: The services behind it, as ``AWS_ENDPOINT_URL_<SERVICE>`` names them.
SERVICES = (
    *("EMR", "EMR_SERVERLESS", "DATABASE_MIGRATION_SERVICE"),
    *("REDSHIFT_DATA", "ATHENA", "GLUE", "REKOGNITION"),
)


def port_of(localstack: int) -> int:
    """Return the engines' port.

    Parameters
    ----------
    localstack
        LocalStack's port.

    Returns
    -------
    int
    """
    return port_beside(localstack, OFFSET)


def server(places: Places, installed: Installed, localstack: int) -> Server:
    """Return the engines as a server to run.

    Parameters
    ----------
    places
        Where their files go.
    installed
        What they run on.
    localstack
        LocalStack's port.

    Returns
    -------
    Server
    """
    port = port_of(localstack)
    aws = places.venv / "bin" / "aws"
    command = [
        *(sys.executable, "-m", "crime_engines", "--port", str(port)),
        *("--localstack", f"http://127.0.0.1:{localstack}"),
        *("--state", str(files(places))),
        *("--class-path", class_path_of(*installed.spark_jars)),
        f"--java-options={installed.step_options}",
        *("--oracle-url", oracle.url(oracle.port_of(localstack))),
        *(("--aws", str(aws)) if aws.is_file() else ()),
    ]
    # Never the user's credentials: what runs behind the engines is to reach LocalStack and nothing else.
    passed = {name: value for name, value in os.environ.items() if not name.startswith(NOT_PASSED_ON)}
    passed |= {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}
    endpoint = f"http://127.0.0.1:{port}"
    return Server(NAME, port, tuple(command), passed, lambda: answers(endpoint), patience=60)


def files(places: Places) -> Path:
    """Return the folder of the engines' own files, which ``down`` throws away.

    Parameters
    ----------
    places
        The stack's places.
    """
    return places.run / "engines"


def answers(endpoint: str) -> None:
    """Ask the engines whether they are there.

    Parameters
    ----------
    endpoint
        Their address.

    Raises
    ------
    OSError
        If they are not.
    """
    fetch(f"{endpoint}/_engines/health")


def settings(endpoint: str) -> dict[str, str]:
    """Return the variables with which programs find the engines.

    Parameters
    ----------
    endpoint
        Their address.

    Returns
    -------
    dict
    """
    return {f"AWS_ENDPOINT_URL_{name}": endpoint for name in SERVICES}
