"""Spark's and Hive's configuration on a cluster: what a node has, then the cluster's classifications."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from crime_engines.node import CREDENTIALS, Node
from crime_engines.protocol import invalid
from crime_engines.spark_submit import SAME

#: The only master here; it stands for YARN. Two threads, for two cores.
MASTER = "local[2]"

#: Classifications of EMR that are given back, and mean nothing on one machine without YARN, HDFS and Hue.
DESCRIPTIVE = frozenset(
    {"spark", "spark-log4j2", "spark-metrics", "hue-ini", "livy-conf", "livy-env", "livy-log4j2", "hive"}
    | {"hive-env", "hive-log4j2", "hive-exec-log4j2", "hiveserver2-site", "hdfs-site", "hadoop-env"}
    | {"hadoop-log4j", "yarn-env", "mapred-site", "mapred-env", "capacity-scheduler", "tez-site"}
    | {"emrfs-site", "spark-driver-log4j2", "spark-executor-log4j2"}
)
HONOURED = frozenset(
    {"spark-defaults", "spark-env", "hive-site", "spark-hive-site", "core-site", "yarn-site"}
)

_NAME = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True)
class Classified:
    """What a cluster's or job run's classifications come to.

    Parameters
    ----------
    spark
        Spark properties.
    env
        Variables that ``spark-env`` exports.
    hive
        Properties of ``hive-site``.
    yarn
        Properties of ``yarn-site``.
    """

    spark: dict[str, str] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    hive: dict[str, str] = field(default_factory=dict)
    yarn: dict[str, str] = field(default_factory=dict)


def classify(configurations: Iterable[Mapping[str, Any]]) -> Classified:
    """Read classifications, EMR's (``Classification``) or EMR Serverless's (``classification``).

    Parameters
    ----------
    configurations
        The list in the request.

    Returns
    -------
    Classified

    Raises
    ------
    Refusal
        If one is unknown, or asks for what can't be done here.
    """
    found = Classified()
    for given in configurations:
        one = {key.lower(): value for key, value in given.items()}
        name, properties = one.get("classification", ""), dict(one.get("properties", {}))
        nested = one.get("configurations", [])
        if name not in HONOURED | DESCRIPTIVE:
            raise invalid(f"Classification {name!r} is not supported here.")
        if name == "spark-env":
            found.env.update(_exports(nested))
        elif nested and name in HONOURED:
            raise invalid(f"{name} takes no nested configurations.")
        if name == "spark-defaults":
            check_master(properties)
            found.spark.update(properties)
        elif name in ("hive-site", "spark-hive-site"):
            found.hive.update(properties)
        elif name == "core-site":
            found.spark.update({f"spark.hadoop.{key}": value for key, value in properties.items()})
        elif name == "yarn-site":
            found.yarn.update(properties)
    return found


def _exports(nested: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the variables of ``spark-env``'s nested classification ``export``."""
    found = {}
    for export in ({key.lower(): value for key, value in item.items()} for item in nested):
        if export.get("classification") != "export":
            raise invalid("spark-env takes nothing but the classification 'export'.")
        for name, value in export.get("properties", {}).items():
            if not _NAME.fullmatch(name):
                raise invalid(f"{name!r} is not the name of a variable.")
            found[name] = value.strip("\"'")
    return found


def check_master(properties: Mapping[str, str]) -> None:
    """Refuse another master than YARN.

    Parameters
    ----------
    properties
        Spark properties.

    Raises
    ------
    Refusal
        If there is one.
    """
    if (master := properties.get("spark.master", "yarn")) != "yarn":
        raise invalid(f"spark.master={master} is not supported here: a cluster's master is yarn.")


def base_properties(node: Node, home: Path) -> dict[str, str]:
    """Return the Spark properties of a node, before anybody's classifications.

    Parameters
    ----------
    node
        The node.
    home
        Folder of the cluster or application.

    Returns
    -------
    dict
    """
    return {
        "spark.master": MASTER,
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.memory": "1g",
        "spark.ui.enabled": "false",
        # For two cores; Spark's own 200 are for a cluster of many.
        "spark.sql.shuffle.partitions": "8",
        # A step's JVM lives for seconds: with the slow compiler it would spend them compiling.
        # Of itself it has room for 48 MB of code, which ten jobs in one session fill.
        "spark.driver.defaultJavaOptions": (
            f"-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m -Djava.io.tmpdir={home / 'tmp'}"
            f" {node.java_options}"
        ).strip(),
        "spark.sql.warehouse.dir": (home / "warehouse").as_uri(),
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        "spark.hadoop.fs.s3n.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        "spark.hadoop.fs.s3a.endpoint": node.localstack,
        "spark.hadoop.fs.s3a.path.style.access": "true",
        "spark.hadoop.fs.s3a.access.key": CREDENTIALS["AWS_ACCESS_KEY_ID"],
        "spark.hadoop.fs.s3a.secret.key": CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    }


def write_conf(node: Node, home: Path, classified: Classified, folder: Path) -> None:
    """Write the configuration folder of a cluster or job run.

    Parameters
    ----------
    node
        The node.
    home
        Folder of the cluster or application, where its metastore and warehouse are too.
    classified
        Its classifications.
    folder
        The configuration folder, for ``SPARK_CONF_DIR``; made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # What YARN does is done by `yarn`; Spark without YARN must not do it again.
    mine = {key: value for key, value in classified.spark.items() if key not in SAME}
    properties = base_properties(node, home) | mine
    lines = [f"{name} {_property(value)}\n" for name, value in properties.items()]
    (folder / "spark-defaults.conf").write_text("".join(lines), encoding="utf-8")
    (folder / "hive-site.xml").write_text(_hive_site(home, classified.hive), encoding="utf-8")


def _property(value: str) -> str:
    """Write a value for ``java.util.Properties``: backslashes double, no line ends."""
    return value.replace("\\", "\\\\").replace("\r", "\\r").replace("\n", "\\n")


def _hive_site(home: Path, given: Mapping[str, str]) -> str:
    """Say where the metastore is: a Derby of the cluster's own, whatever the classification says of it."""
    mine = {key: value for key, value in given.items() if not key.startswith("javax.jdo.option.")}
    mine.pop("hive.metastore.uris", None)
    mine |= {
        "javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={home / 'metastore'};create=true",
        "hive.metastore.warehouse.dir": (home / "warehouse").as_uri(),
        "hive.exec.scratchdir": str(home / "tmp" / "hive"),
    }
    items = "".join(
        f"<property><name>{escape(name)}</name><value>{escape(value)}</value></property>\n"
        for name, value in mine.items()
    )
    return f'<?xml version="1.0"?>\n<configuration>\n{items}</configuration>\n'
