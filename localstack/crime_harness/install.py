"""Fetch and lay out all that LocalStack needs; what is there already is used as it is."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import zipfile
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from crime_harness import class_sharing, maven
from crime_harness.files import make_once, only_one
from crime_harness.places import HERE, Places, constraints, digest, jars, pinned
from crime_harness.shell import run
from crime_harness.steps import Steps
from crime_harness.tools import Java, Node, find_java, find_node
from crime_jobs.errors import WrongUsage
from crime_jobs.files import write_whole

#: kinesis-mock's release that LocalStack 4.9.2 looks for.
KINESIS = "0.4.13"
JSONATA = "0.9.7"


@dataclass(frozen=True)
class Installed:
    """What LocalStack runs on.

    Parameters
    ----------
    java, node
        The tools.
    kinesis, dynamodb, jsonata, s3a, oracle
        Folders of the helpers, of Spark's S3A jars and of the jars that read the old Oracle.
    step_options
        Options with which the Java of an engine's step starts sooner.
    """

    java: Java
    node: Node
    kinesis: Path
    dynamodb: Path
    jsonata: Path
    s3a: Path
    oracle: Path
    step_options: str = ""

    @property
    def spark_jars(self) -> tuple[Path, Path]:
        """Folders of the jars that are on Spark's class path."""
        return self.s3a, self.oracle


def install(places: Places, steps: Steps) -> Installed:
    """Fetch what is missing, several things at a time.

    Parameters
    ----------
    places
        Where everything goes.
    steps
        Shows what is being done.

    Returns
    -------
    Installed

    Raises
    ------
    WrongUsage
        If the machine is of another kind, or Java or Node can't be had.
    CommandFailed
        If a download fails; run again, it goes on from there.
    """
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise WrongUsage(
            "Without Docker LocalStack runs on Linux on x86-64; "
            f"this is {sys.platform} on {platform.machine()}.",
            hint="Use Docker: docker compose -f localstack/compose.yaml up --wait.",
        )
    log = places.run / "install.log"
    with only_one(places.cache / "lock", steps.console), ThreadPoolExecutor(max_workers=4) as pool:
        java = steps.do("Java", lambda: find_java(places, log))

        def start(label: str, work: Callable[[], Path]) -> Future[Path]:
            return pool.submit(steps.do, label, work)

        venv = start(f"LocalStack {pinned('localstack-core')}", lambda: _venv(places, log))
        helpers = start("DynamoDB Local's jars", lambda: _jars("helpers", places, java, log))
        jsonata = start("JSONata", lambda: _jars("jsonata", places, java, log))
        s3a = start("S3A for Spark", lambda: s3a_jars(places, java, log))
        oracle = start("H2 and Oracle's driver", lambda: _jars("oracle", places, java, log))
        classes = pool.submit(steps.do, "Spark's classes for steps", class_sharing.options)
        node = steps.do("Node", lambda: find_node(places, log))
        kinesis = start("kinesis-mock", lambda: _kinesis(places, node, log))
        venv.result()
        dynamodb = steps.do("DynamoDB Local", lambda: _dynamodb(places, helpers.result(), java, log))
        others = (jsonata.result(), s3a.result(), oracle.result())
        return Installed(java, node, kinesis.result(), dynamodb, *others, classes.result())


def s3a_jars(places: Places, java: Java, log: Path) -> Path:
    """Fetch the jars that let Spark read and write S3.

    Parameters
    ----------
    places
        Where they are kept.
    java
        The Java to fetch them with.
    log
        File for messages.

    Returns
    -------
    Path
        Their folder.
    """
    return _jars("s3a", places, java, log)


def _jars(name: str, places: Places, java: Java, log: Path) -> Path:
    groups = {"helpers": ("dynamodb", "agent")}.get(name, (name,))
    pins = jars(*groups)
    folder = places.cache / f"{name}-{digest(*pins)}"
    return make_once(folder, lambda part: maven.fetch(pins, part, java, places, log))


def _venv(places: Places, log: Path) -> Path:
    """LocalStack's environment. A venv knows its place: it is built there, with a stamp last."""
    stamp, pins = places.venv / "installed", digest(constraints(), sys.version)
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == pins:
        return places.venv
    shutil.rmtree(places.venv, ignore_errors=True)
    run([sys.executable, "-m", "venv", str(places.venv)], log)
    python = str(places.python)
    run(
        [
            python,
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "-r",
            str(HERE / "constraints.txt"),
        ],
        log,
    )
    write_whole(stamp, pins, private=True)
    return places.venv


def _kinesis(places: Places, node: Node, log: Path) -> Path:
    pins = [
        (HERE / "node" / name).read_text(encoding="utf-8") for name in ("package.json", "package-lock.json")
    ]

    def build(folder: Path) -> None:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / "node" / name, folder)
        path = f"{node.command.parent}{os.pathsep}{os.environ.get('PATH', '')}"
        options = ["--ignore-scripts", "--no-audit", "--no-fund"]
        run([*node.npm, "ci", *options], log, env={"PATH": path}, cwd=folder)

    return make_once(places.cache / f"kinesis-{digest(*pins)}", build)


def _dynamodb(places: Places, helpers: Path, java: Java, log: Path) -> Path:
    """Lay the jars out as LocalStack looks for them, with a launcher for the loopback address."""
    source = HERE / "java" / "LoopbackDynamoDb.java"
    name = digest(source.read_text(encoding="utf-8"), *jars("dynamodb", "agent"))

    def build(folder: Path) -> None:
        classes = folder / "classes"
        classes.mkdir()
        compiler = [*maven.spark_jars("janino-*.jar"), *maven.spark_jars("commons-compiler-*.jar")]
        library = sorted(helpers.glob("*.jar"))
        script = HERE / "crime_harness" / "janino.py"
        where = [str(java.home), str(source), str(classes)]
        run([str(places.python), "-P", str(script), *where, *map(str, [*compiler, *library])], log)
        with zipfile.ZipFile(folder / "DynamoDBLocal.jar", "w") as jar:
            jar.writestr(
                "META-INF/MANIFEST.MF",
                manifest("LoopbackDynamoDb", [f"DynamoDBLocal_lib/{p.name}" for p in library]),
            )
            for made in classes.iterdir():
                jar.write(made, made.name)
        shutil.copytree(helpers, folder / "DynamoDBLocal_lib", copy_function=os.link)
        agent = next(helpers.glob("byte-buddy-agent-*.jar"))
        os.link(agent, folder / "ddb-local-loader-0.1.jar")

    return make_once(places.cache / f"dynamodb-{name}", build)


def manifest(main_class: str, class_path: list[str]) -> str:
    """Return the manifest of a jar that starts a class from jars beside it.

    Parameters
    ----------
    main_class
        The class to start.
    class_path
        Jars, relative to the jar.

    Returns
    -------
    str
        Lines of at most 72 bytes, continued as the JAR specification has it.
    """
    text = ""
    for line in (
        "Manifest-Version: 1.0",
        f"Main-Class: {main_class}",
        f"Class-Path: {' '.join(class_path)}",
    ):
        parts = [line[:70]] + [line[at : at + 69] for at in range(70, len(line), 69)]
        text += "\r\n ".join(parts) + "\r\n"
    return text + "\r\n"


def lay_out(installed: Installed, root: Path) -> None:
    """Link the helpers where LocalStack looks for what it would otherwise download.

    Parameters
    ----------
    installed
        The helpers.
    root
        LocalStack's ``FILESYSTEM_ROOT``.
    """
    lib = root / "var" / "lib" / "localstack" / "lib"
    links = {
        f"kinesis-local/{KINESIS}": installed.kinesis,
        "dynamodb-local/2": installed.dynamodb,
        f"jsonata/{JSONATA}": installed.jsonata,
        "java/11": installed.java.home,
        "java/21": installed.java.home,
    }
    for name, target in links.items():
        link = lib / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(target)
