"""Spark, YARN's part and Hive on the engine: what a step finds, where its output goes, and how it fails."""

from __future__ import annotations

import io
import json
import re
import tarfile
import zipfile
from collections.abc import Iterator

import pytest

from .conftest import Stack
from .engines import ODD, Engine

#: Shows what a driver and a worker find; fails where told so.
ENTRY = """
import importlib.util, json, os, sys
found = {
    "arguments": sys.argv[1:],
    "folder": sorted(os.listdir(".")),
    "node": [n for n in ("pandas", "numpy", "boto3", "crime_jobs") if importlib.util.find_spec(n)],
    "said": os.environ.get("SAID"),
}
print(json.dumps(found))
if "--fail" in sys.argv:
    raise ValueError("on purpose")
if "--spark" in sys.argv:
    from pyspark.sql import SparkSession

    import brought, code
    spark = SparkSession.builder.getOrCreate()
    def work(number):
        import brought, code
        return number + brought.ADD + code.ADD
    print(json.dumps(spark.sparkContext.parallelize(range(3)).map(work).collect()))
    print(json.dumps([spark.sparkContext.appName, spark.conf.get("spark.x y", None)]))
    spark.range(7).write.parquet(sys.argv[-1])
    print(spark.read.parquet(sys.argv[-1]).count())
"""


@pytest.fixture(scope="module")
def engine(stack: Stack) -> Iterator[Engine]:
    made = Engine(stack)
    yield made
    made.end()


@pytest.fixture(scope="module")
def cluster(engine: Engine) -> str:
    return engine.cluster(
        StepConcurrencyLevel=2,
        Configurations=[
            {
                "Classification": "spark-defaults",
                "Properties": {"spark.yarn.appMasterEnv.SAID": "by cluster"},
            },
            {
                "Classification": "hive-site",
                "Properties": {
                    "hive.metastore.client.factory.class": "com.amazonaws.glue.catalog.metastore.AWSGlueDataCatalogHiveClientFactory"
                },
            },
        ],
    )


@pytest.fixture(scope="module")
def entry(engine: Engine) -> str:
    return engine.put("entry.py", ENTRY)


def archive(*names: str, content: str = "ADD = 100\n") -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content.encode()))
    return made.getvalue()


def zipped(name: str, content: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as bundle:
        bundle.writestr(name, content)
    return made.getvalue()


def containers(engine: Engine, cluster: str, step: str) -> dict[str, str]:
    """The logs of a step's containers, by attempt and stream."""
    found = re.search(r"Submitted application (application_\d+_\d+)", engine.log(cluster, step, "stderr"))
    assert found
    folder = f"s3://crime-logs/engine/{cluster}/containers/{found[1]}"
    keys = engine.stack.keys(folder)
    suffix = found[1].removeprefix("application_")
    assert {key.split("/")[-2] for key in keys} <= {f"container_{suffix}_{n:02}_000001" for n in (1, 2)}
    found_logs = {}
    for key in keys:
        container, stream = key.split("/")[-2:]
        attempt = int(container.split("_")[3])
        found_logs[f"{attempt}/{stream.removesuffix('.gz')}"] = engine.text(f"s3://crime-logs/{key}")
    return found_logs


def test_a_spark_step_on_yarn_finds_what_it_brought_and_no_more(
    engine: Engine, cluster: str, entry: str
) -> None:
    lake = engine.stack.fresh("engine")
    step = engine.add(
        cluster,
        *("spark-submit", "--deploy-mode", "cluster", "--name", "a 'name'"),
        *("--conf", f"spark.archives={engine.put('env.tar.gz', archive('brought.py'))}#environment"),
        *("--py-files", engine.put("code.zip", zipped("code.py", "ADD = 1000\n"))),
        *("--files", engine.put("notes.txt", "hello")),
        *("--conf", "spark.pyspark.python=python3.11", "--conf", "spark.x y=z"),
        *("--conf", "spark.yarn.appMasterEnv.PYTHONPATH=./environment"),
        *("--conf", "spark.executorEnv.PYTHONPATH=./environment"),
        *(entry, *ODD, "--spark", lake),
    )
    found = engine.ended(cluster, step)
    logs = containers(engine, cluster, step)
    assert found["Status"]["State"] == "COMPLETED", logs
    (application,) = found["AdditionalInfo"]["ResourceManagerApplicationIds"]
    first, total, names, count = logs["1/stdout"].splitlines()
    driver = json.loads(first)
    assert driver["arguments"] == [*ODD, "--spark", lake]
    assert {"environment", "entry.py", "code.zip", "notes.txt"} <= set(driver["folder"])
    assert driver["node"] == []
    assert driver["said"] == "by cluster"
    assert json.loads(total) == [1100, 1101, 1102]
    assert json.loads(names) == ["a 'name'", "z"]
    assert count == "7"
    assert "_SUCCESS" in engine.stack.keys(lake)[0]
    assert "INFO SparkContext" in logs["1/stderr"]

    stderr = engine.log(cluster, step, "stderr")
    reported = re.findall(r"Application report for (\S+) \(state: (\w+)\)", stderr)
    assert reported == [(application, state) for state in ("ACCEPTED", "RUNNING", "FINISHED")]
    assert "final status: SUCCEEDED" in stderr
    assert engine.log(cluster, step, "stdout") == ""


def test_a_driver_that_fails_is_tried_twice_as_yarn_does_unless_told_not_to(
    engine: Engine, cluster: str, entry: str
) -> None:
    submit = ("spark-submit", "--deploy-mode", "cluster")
    twice = engine.add(cluster, *submit, entry, "--fail")
    once = engine.add(cluster, *submit, "--conf", "spark.yarn.maxAppAttempts=1", entry, "--fail")
    for step, attempts in ((twice, 2), (once, 1)):
        found = engine.ended(cluster, step)
        assert found["Status"]["State"] == "FAILED"
        (application,) = found["AdditionalInfo"]["ResourceManagerApplicationIds"]
        assert found["Status"]["FailureDetails"]["Message"] == (
            'Exception in thread "main" org.apache.spark.SparkException: '
            f"Application {application} finished with failed status"
        )
        logs = containers(engine, cluster, step)
        assert len(logs) == 2 * attempts
        assert "ValueError: on purpose" in logs[f"{attempts}/stdout"], "PythonRunner puts stderr into stdout"
        assert "User application exited with status 1" in engine.log(cluster, step, "stderr")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--deploy-mode", "cluster", "s3://crime-artifacts/none.py"), "FileNotFoundException: No such file"),
        (("--deploy-mode", "cluster", "--colour", "red", "x.py"), "Unrecognized option: --colour"),
        (("--deploy-mode", "client"), "Missing application resource"),
    ],
    ids=["no entry", "no option", "nothing"],
)
def test_what_spark_submit_says_is_in_the_steps_stderr(
    engine: Engine, cluster: str, arguments: tuple[str, ...], words: str
) -> None:
    step = engine.add(cluster, "spark-submit", *arguments)
    assert engine.ended(cluster, step)["Status"]["State"] == "FAILED"
    assert words in engine.log(cluster, step, "stderr")


def test_a_hostile_archive_is_not_unpacked(engine: Engine, cluster: str, entry: str) -> None:
    bad = engine.put("bad.tar.gz", archive("fine.py", "../../../escaped.py"))
    step = engine.add(cluster, "spark-submit", "--deploy-mode", "cluster", "--archives", f"{bad}#a", entry)
    assert engine.ended(cluster, step)["Status"]["State"] == "FAILED"
    assert "exited with exitCode: -1000" in engine.log(cluster, step, "stderr")
    logs = containers(engine, cluster, step)
    assert "bad.tar.gz can't be unpacked" in logs["2/stderr"]
    assert logs["2/stdout"] == "", "the driver was not started"


def test_client_mode_writes_to_the_steps_own_output(engine: Engine, cluster: str, entry: str) -> None:
    extra = engine.put("env.zip", zipped("brought.py", "ADD = 1"))
    step = engine.add(cluster, "spark-submit", "--master", "yarn", "--archives", f"{extra}#env", entry, *ODD)
    found = engine.ended(cluster, step)
    assert found["Status"]["State"] == "COMPLETED", engine.log(cluster, step, "stderr")
    assert "AdditionalInfo" not in found
    driver = json.loads(engine.log(cluster, step, "stdout").splitlines()[0])
    assert driver["arguments"] == ODD
    assert driver["folder"] == [], "archives are for executors"


def test_a_command_of_an_application_that_the_cluster_lacks_fails(engine: Engine) -> None:
    bare = engine.cluster(Applications=[{"Name": "Hadoop"}])
    for program in (
        ("spark-submit", "x.py"),
        ("hive-script", "--run-hive-script", "--args", "-e", "select 1"),
    ):
        step = engine.add(bare, *program)
        assert engine.ended(bare, step)["Status"]["State"] == "FAILED"
        assert f'Cannot run program "{program[0]}"' in engine.log(bare, step, "stderr")


def test_hive_scripts_of_a_cluster_share_its_metastore_one_at_a_time(engine: Engine, cluster: str) -> None:
    """Both are started at once; Derby would refuse one of them."""
    script = engine.put(
        "q.hql",
        "CREATE DATABASE IF NOT EXISTS ${hivevar:db};\n"
        "CREATE TABLE IF NOT EXISTS ${hivevar:db}.t (a STRING) USING parquet;\n"
        "INSERT INTO ${hivevar:db}.t VALUES ('${hivevar:said}');\n"
        "SELECT * FROM ${hivevar:db}.t;\n",
    )
    run = ("hive-script", "--run-hive-script", "--args", "-f", script, "--hivevar", "db=d")
    first = engine.add(cluster, *run, "-d", "said=one, two")
    second = engine.add(cluster, "spark-sql", "--master", "yarn", "-e", "SHOW DATABASES; SELECT 'उत्तर'")
    for step in (first, second):
        found = engine.ended(cluster, step)["Status"]["State"]
        assert found == "COMPLETED", engine.log(cluster, step, "stderr")[-3000:]
    assert engine.log(cluster, first, "stdout") == "one, two\n"
    assert engine.log(cluster, second, "stdout").splitlines()[-1] == "उत्तर"
    wrong = engine.add(cluster, "spark-sql", "-e", "SELECT * FROM d.t; SELECT nothing")
    assert engine.ended(cluster, wrong)["Status"]["State"] == "FAILED"
    assert "one, two" in engine.log(cluster, wrong, "stdout"), "the table of the step before"
    assert "UNRESOLVED_COLUMN" in engine.log(cluster, wrong, "stderr")
