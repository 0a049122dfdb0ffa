"""``python -m crime_engines.dms.login JARS URL SECRET``: one login over JDBC, to see whether it can be done.

A process of its own, since it starts a Java, and since what it is given must not stay in the server. It says
why not on stdout; the exit code is 0 if the database let us in.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from py4j.java_gateway import GatewayParameters, JavaGateway, launch_gateway
from py4j.protocol import Py4JError, Py4JJavaError

from crime_jobs import settings
from crime_jobs.errors import CrimeJobsError
from crime_jobs.migrate.source import connect


def main(jars: str, url: str, secret: str) -> int:
    """Log in and out again.

    Parameters
    ----------
    jars
        Class path: py4j's and the drivers'.
    url
        JDBC URL.
    secret
        Name or ARN of the secret.

    Returns
    -------
    int
        Exit code.
    """
    try:
        source = connect(settings.load("local", {}), url, secret)
    except CrimeJobsError as error:
        print(error.message)  # noqa: T201
        return 1
    home = os.environ.get("JAVA_HOME")
    port, token = launch_gateway(
        classpath=jars,
        jarpath=jars.split(os.pathsep, maxsplit=1)[0],
        java_path=str(Path(home) / "bin" / "java") if home else "java",
        javaopts=["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx64m"],
        die_on_exit=True,
        enable_auth=True,
    )
    gateway = JavaGateway(gateway_parameters=GatewayParameters(port=port, auth_token=token))
    try:
        gateway.jvm.java.sql.DriverManager.setLoginTimeout(10)
        gateway.jvm.java.sql.DriverManager.getConnection(url, source.user, source.password).close()
    except Py4JJavaError as error:
        print(str(error.java_exception.getMessage()).splitlines()[0])  # noqa: T201
        return 1
    except Py4JError as error:
        print(f"The driver broke: {type(error).__name__}")  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
