"""Archives of Spark's classes, with which the Spark of tests and of the engines' steps starts sooner.

Java reads, checks and links some 10,000 classes for a Spark that then lives for seconds. An archive has
them as they are in memory (class data sharing, JEP 310 and JEP 350). It fits
one Java and one class path, by name, size and date; with any other, Java runs as if it were not there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from crime_harness.files import make_once, only_one
from crime_harness.maven import spark_jars
from crime_harness.places import HERE, ROOT, digest
from crime_jobs.spark import find_java_home, java_release

#: Java that can add its own archive to that of the JDK (JEP 350); Spark 3.5 runs on 17 of those.
_FIRST_RELEASE = 13


def options() -> str:
    """Return the options with which Java takes Spark's classes from an archive; it is made when first needed.

    They serve where Spark's jars come first on the class path.

    Returns
    -------
    str
        Java options; empty where there can't be an archive: Spark runs without it.
    """
    home = find_java_home() or os.environ.get("JAVA_HOME")
    java = Path(home) / "bin" / "java" if home else Path(shutil.which("java") or "java")
    release = java_release(str(java))
    if release is None or release < _FIRST_RELEASE:
        return ""
    known = [f"{file} {file.stat().st_mtime_ns}" for file in (java.resolve(), *spark_jars("*.jar"))]
    script = HERE / "crime_harness" / "class_training.py"
    # Beside the environments: like them it knows the place of each jar.
    folder = ROOT / ".venvs" / f"spark-classes-{digest(*known, script.read_text('utf-8'))}"

    def build(part: Path) -> None:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("SPARK_")}
        environ |= {"PYSPARK_PYTHON": sys.executable}
        if home:
            environ["JAVA_HOME"] = home
        command = [sys.executable, str(script), str(part / "spark.jsa")]
        with (part / "log").open("wb") as log:
            subprocess.run(command, env=environ, cwd=part, stdout=log, stderr=log, check=True, timeout=600)

    folder.parent.mkdir(exist_ok=True)
    with only_one(folder.with_name("spark-classes.lock"), Console(stderr=True)):
        try:
            make_once(folder, build)
        except (OSError, subprocess.SubprocessError):
            return ""
    archive = folder / "spark.jsa"
    return f"-XX:SharedArchiveFile={archive} -Xlog:cds=off -Xlog:cds+dynamic=off" if archive.is_file() else ""
