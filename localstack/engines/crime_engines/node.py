"""The machine that stands for all nodes: its Python, Java and Spark, and what its processes find there.

A step must find what it would find on EMR and no more: Python without this project's packages, Spark, the
AWS settings that lead to LocalStack and to the engines. What a step brings along is then really needed.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

from crime_engines.storage import Storage

#: LocalStack takes any credentials; these can open nothing on AWS.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}

#: Of the environment of the server, what a node has too: the way out, whom to trust, and the harness's mark.
PASSED_ON = (
    *("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"),
    *("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT", "PIP_INDEX_URL"),
    "CRIME_HARNESS_MARK",
)

#: Services of the engines, as the variables ``AWS_ENDPOINT_URL_<SERVICE>`` name them.
SERVICES = (
    *("EMR", "EMR_SERVERLESS", "DATABASE_MIGRATION_SERVICE"),
    *("REDSHIFT_DATA", "ATHENA", "GLUE", "REKOGNITION"),
)


#: Spark's launcher puts the configuration first, before Spark's own jars, in which nothing has such a name.
_JAVA = """#!/bin/sh
if [ "$1" = -cp ]; then
    case $2 in "$SPARK_CONF_DIR"/:*)
        classes=${{2#"$SPARK_CONF_DIR"/:}}; shift 2
        set -- -cp "$classes:$SPARK_CONF_DIR/" "$@" ;;
    esac
fi
exec {java} "$@"
"""


@dataclass(frozen=True)
class Node:
    """Where processes run.

    Parameters
    ----------
    state
        Folder of all clusters' and applications' files.
    localstack, engines
        Addresses.
    class_path
        Jars with which Spark reads and writes S3.
    spark_home
        The folder of the package ``pyspark``.
    java_home
        A Java that Spark runs on; ``None`` where the ``java`` on PATH serves.
    aws
        The ``aws`` command, ``None`` where there is none.
    java_options
        Options with which Spark's Java takes its classes from an archive.
    """

    state: Path
    localstack: str
    engines: str
    class_path: str
    spark_home: Path
    java_home: str | None = None
    aws: Path | None = None
    java_options: str = ""
    storage: Storage = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "storage", Storage(self.localstack, self.state / "filecache"))

    @property
    def bin(self) -> Path:
        """Folder of the programs that a node has."""
        return self.state / "node" / "bin"

    def prepare(self) -> None:
        """Make the node's programs and its Python, of the interpreter that this environment was made of."""
        with self._lock:
            if (self.bin / "spark-submit").exists():
                return
            python: str = getattr(sys, "_base_executable", sys.executable)
            # Without pip and packages: neither this project's nor those that were put beside the interpreter.
            subprocess.run(
                [python, "-m", "venv", "--without-pip", str(self.state / "node")],
                check=True,
                env={"PATH": os.defpath},
            )
            (self.state / "home").mkdir(exist_ok=True)
            self._make_java()
            programs = {"pyspark": "pyspark", "spark-sql": "spark-sql", "spark-submit": "spark-submit"}
            if self.aws:
                (self.bin / "aws").symlink_to(self.aws)
            for name, program in programs.items():  # spark-submit last: it says that all is there
                script = self.bin / name
                script.write_text(f'#!/bin/sh\nexec "$SPARK_HOME/bin/{program}" "$@"\n', encoding="utf-8")
                script.chmod(0o755)

    def _make_java(self) -> None:
        """Make a Java that has the configuration's folder last on its class path: sharing needs that."""
        if not self.java_options:
            return
        home = self.java_home or os.environ.get("JAVA_HOME")
        java = Path(home) / "bin" / "java" if home else Path(shutil.which("java") or "java")
        real = java.resolve().parent
        (self._java / "bin").mkdir(parents=True)
        for place in (*real.parent.iterdir(), *real.iterdir()):
            if place not in (real, real / "java"):
                (self._java / place.relative_to(real.parent)).symlink_to(place)
        script = self._java / "bin" / "java"
        script.write_text(_JAVA.format(java=shlex.quote(str(real / "java"))), encoding="utf-8")
        script.chmod(0o755)

    @property
    def _java(self) -> Path:
        return self.state / "node" / "java"

    def environ(self, region: str, tmp: Path) -> dict[str, str]:
        """Return the environment of a process on the node.

        Parameters
        ----------
        region
            The region that the node is in.
        tmp
            Folder for temporary files; made.

        Returns
        -------
        dict
        """
        tmp.mkdir(parents=True, exist_ok=True)
        # It is made with the node's Python, which what only logs in to a database does not wait for.
        made = os.access(self._java / "bin" / "java", os.X_OK)
        home = str(self._java) if made else self.java_home or os.environ.get("JAVA_HOME")
        java = [str(Path(self.java_home) / "bin")] if self.java_home else []
        path = [str(self.bin), *java, os.environ.get("PATH", os.defpath)]
        found = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        found |= {
            "PATH": os.pathsep.join(path),
            "HOME": str(self.state / "home"),  # the user's ~/.aws stays the user's
            "USER": "hadoop",
            "LANG": "C.UTF-8",
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_LOCAL_DIRS": str(tmp),
            "TMPDIR": str(tmp),
            "PYTHONNOUSERSITE": "1",
            "SPARK_HOME": str(self.spark_home),
            # At the end of the class path whatever a step puts before it, so that s3:// always works.
            "SPARK_DIST_CLASSPATH": self.class_path,
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
            "AWS_ENDPOINT_URL": self.localstack,
            **{f"AWS_ENDPOINT_URL_{name}": self.engines for name in SERVICES},
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_EC2_METADATA_DISABLED": "true",
            **CREDENTIALS,
        }
        if home:
            found["JAVA_HOME"] = home
        return found
