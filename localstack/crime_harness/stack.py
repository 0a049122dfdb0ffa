"""The stack: LocalStack as a server, the hooks that fill it, the files that say where it is."""

from __future__ import annotations

import json
import os
import shutil
import urllib.request
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from crime_harness.files import env_lines
from crime_harness.install import Installed
from crime_harness.places import HERE, ROOT, Places, pinned
from crime_harness.shell import run
from crime_harness.supervisor import Server
from crime_jobs.files import write_whole

NAME = "localstack"
REGION = "us-east-1"
LANDING = "s3://crime-landing/ncrb"
LAKE = "s3://crime-lake/lake"
ARTIFACTS = "s3://crime-artifacts"
LOGS = "s3://crime-logs/emr"
RUNTIME_ROLE = "arn:aws:iam::000000000000:role/crime-jobs-runtime"
TOPIC = f"arn:aws:sns:{REGION}:000000000000:crime-jobs-migration"

#: LocalStack takes any credentials; these can open nothing on AWS.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}

#: Variables of the user's that would change what LocalStack does or whom its boto3 asks.
NOT_PASSED_ON = ("AWS_", "LOCALSTACK_", "PYTHON", "VIRTUAL_ENV")


def server(places: Places, installed: Installed, port: int) -> Server:
    """Return LocalStack as a server to run.

    Parameters
    ----------
    places
        Where its files go.
    installed
        What it runs on.
    port
        Its port.

    Returns
    -------
    Server
    """
    own = {
        "PATH": os.pathsep.join(
            [
                str(places.venv / "bin"),  # Firehose's Kinesis reader calls `python`
                str(installed.node.command.parent),
                str(installed.java.home / "bin"),
                os.environ.get("PATH", os.defpath),
            ]
        ),
        "JAVA_HOME": str(installed.java.home),
        "NODE_OPTIONS": f"--require={HERE / 'node' / 'loopback.cjs'}",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "OVERRIDE_IN_DOCKER": "0",  # else it takes a VM for a container and writes to /var/lib
        "FILESYSTEM_ROOT": str(files(places)),
        "LOCALSTACK_VOLUME_DIR": str(files(places) / "volume"),
        "GATEWAY_SERVER": "hypercorn",  # the default one listens on every interface
        "GATEWAY_LISTEN": f"127.0.0.1:{port}",
        "LOCALSTACK_HOST": f"127.0.0.1:{port}",
        "SQS_ENDPOINT_STRATEGY": "path",  # queue URLs that need no name server
        "DNS_ADDRESS": "0",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "DISABLE_EVENTS": "1",
        "DYNAMODB_IN_MEMORY": "1",
        "KINESIS_LATENCY": "200",
        "ENABLE_CONFIG_UPDATES": "1",  # tests switch faults on and off while it runs
    }
    passed = {name: value for name, value in os.environ.items() if not name.startswith(NOT_PASSED_ON)}
    command = (str(places.python), "-m", "localstack.runtime.main")
    endpoint = f"http://127.0.0.1:{port}"
    return Server(NAME, port, command, {**passed, **own}, lambda: answers(endpoint))


def files(places: Places) -> Path:
    """Return the folder of LocalStack's own files, which ``down`` throws away.

    Parameters
    ----------
    places
        The stack's places.
    """
    return places.run / "files"


def lay_out_hooks(places: Places) -> None:
    """Put the scripts that run within LocalStack when it starts where it looks for them.

    Parameters
    ----------
    places
        The stack's places.
    """
    shutil.copytree(HERE / "init" / "start.d", files(places) / "etc/localstack/init/start.d")


def client(service: str, endpoint: str) -> Any:
    """Return a boto3 client of the stack, whatever the user's AWS settings and proxies are.

    Parameters
    ----------
    service
        For example ``s3``.
    endpoint
        The stack's address.

    Returns
    -------
    botocore.client.BaseClient
    """
    import boto3
    from botocore.config import Config

    once = Config(
        connect_timeout=2,
        read_timeout=30,
        proxies={},
        retries={"max_attempts": 0},
        s3={"addressing_style": "path"},
    )
    session = boto3.session.Session(aws_access_key_id="test", aws_secret_access_key="test")  # noqa: S106
    return session.client(service, endpoint_url=endpoint, region_name=REGION, config=once)


def answers(endpoint: str) -> None:
    """Make real calls to the services behind LocalStack: its health page says yes too soon.

    Parameters
    ----------
    endpoint
        The stack's address.

    Raises
    ------
    Exception
        Whatever boto3 raises while one of them doesn't answer.
    """
    calls: list[Callable[[], object]] = [
        client("s3", endpoint).list_buckets,
        client("dynamodb", endpoint).list_tables,
        client("kinesis", endpoint).list_streams,
    ]
    with ThreadPoolExecutor(len(calls)) as pool:
        for done in [pool.submit(call) for call in calls]:
            done.result()


def fetch(url: str) -> Any:
    """Return what a server of this machine says of itself, by no proxy.

    Parameters
    ----------
    url
        Of its health; what it answers is JSON.

    Raises
    ------
    OSError
        If it doesn't answer.
    """
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(url, timeout=10) as said:  # a busy machine is slow, not dead
        return json.load(said)


def is_up(endpoint: str) -> None:
    """Ask LocalStack, once ready, whether it is still there; quick, for ``status``.

    Parameters
    ----------
    endpoint
        The stack's address.

    Raises
    ------
    OSError
        If it is not.
    """
    fetch(f"{endpoint}/_localstack/health")


def run_hooks(places: Places, endpoint: str) -> None:
    """Run the scripts that LocalStack's container runs by itself when it is ready.

    Parameters
    ----------
    places
        The stack's places.
    endpoint
        The stack's address.

    Raises
    ------
    CommandFailed
        If one fails.
    """
    env = {
        "AWS_ENDPOINT_URL": endpoint,
        "CRIME_JOBS_DATA": str(ROOT / "data"),
        "NO_PROXY": "127.0.0.1",
    }
    for script in sorted((HERE / "init" / "ready.d").glob("*.py")):
        run([str(places.python), str(script)], places.run / "init.log", env=env)


def write_settings(places: Places, installed: Installed, endpoint: str, others: Mapping[str, str]) -> None:
    """Write ``up.env`` and the Spark properties it names.

    Parameters
    ----------
    places
        Where to.
    installed
        Where the jars for Spark are.
    endpoint
        The stack's address.
    others
        The variables with which programs find the engines and the old Oracle.
    """
    class_path = class_path_of(*installed.spark_jars)
    properties = spark_properties(endpoint, class_path)
    text = "".join(f"{name} {value}\n" for name, value in properties.items())
    write_whole(
        places.spark_conf,
        f"# Written by `make up`: Spark on LocalStack {pinned('localstack-core')}.\n{text}",
        private=True,
    )
    values = {
        "AWS_ENDPOINT_URL": endpoint,
        **others,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        **CREDENTIALS,
        "AWS_EC2_METADATA_DISABLED": "true",
        "CRIME_JOBS_LANDING": LANDING,
        "CRIME_JOBS_LAKE": LAKE,
        "CRIME_JOBS_ARTIFACTS": ARTIFACTS,
        "CRIME_JOBS_LOGS": LOGS,
        "CRIME_JOBS_RUNTIME_ROLE": RUNTIME_ROLE,
        "CRIME_JOBS_TOPIC": TOPIC,
        "CRIME_JOBS_SPARK_CONF": str(places.spark_conf),
        "CRIME_JOBS_SPARK_EXTRA_CLASSPATH": class_path,
    }
    write_whole(places.env_file, env_lines(values), private=True)


def class_path_of(*folders: Path) -> str:
    """Return the jars of folders as a Java class path.

    Parameters
    ----------
    *folders
        The folders.

    Returns
    -------
    str
    """
    return os.pathsep.join(str(jar) for folder in folders for jar in sorted(folder.glob("*.jar")))


def spark_properties(endpoint: str, class_path: str) -> dict[str, str]:
    """Return the Spark properties that make ``s3://`` and ``s3a://`` reach the stack.

    On EMR none of them is needed: EMRFS serves ``s3://`` there.

    Parameters
    ----------
    endpoint
        The stack's address.
    class_path
        hadoop-aws with the AWS bundle, and the JDBC drivers. On the class path, not in ``spark.jars``:
        Spark would copy 280 MB each time it starts.

    Returns
    -------
    dict
    """
    s3a = {  # measured: no less works, and no more is needed (the address is an IP, so paths are)
        "endpoint": endpoint,
        "access.key": CREDENTIALS["AWS_ACCESS_KEY_ID"],
        "secret.key": CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    }
    return {
        "spark.driver.extraClassPath": class_path,
        "spark.executor.extraClassPath": class_path,
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        **{f"spark.hadoop.fs.s3a.{name}": value for name, value in s3a.items()},
    }
