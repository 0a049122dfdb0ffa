"""How the engines read spark-submit, configurations and archives: what a step gets, and what it can't do."""

from __future__ import annotations

import io
import stat
import sys
import tarfile
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from crime_engines.archives import BadArchive, unpack
from crime_engines.emr.command_runner import command_of
from crime_engines.hive import hive_arguments
from crime_engines.localise import fetch_all, lay_out
from crime_engines.node import Node
from crime_engines.protocol import Refusal
from crime_engines.serverless.jobs import job_of, last_exceptions
from crime_engines.spark_conf import Classified, classify, write_conf
from crime_engines.spark_submit import parse, rebuilt
from crime_engines.storage import Missing, Storage
from crime_engines.work import TASK, Stopped, Work, family

ODD = ["a b", "", "x,y", "q'\"q", "--conf", "$HOME", "उत्तर", "a\\b", "*"]


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path, "http://127.0.0.1:1", "http://127.0.0.1:2", "s3a.jar", tmp_path)


def test_the_programs_arguments_are_untouched() -> None:
    found = parse(["--deploy-mode", "cluster", "--name", "a b", "--conf", "k=a=b c", "s3://b/e.py", *ODD])
    assert (found.entry, found.arguments) == ("s3://b/e.py", ODD)
    assert (found.deploy_mode, found.conf) == ("cluster", {"k": "a=b c"})
    assert list(rebuilt(found, "local[2]")) == ["--master", "local[2]", "--name", "a b", "--conf", "k=a=b c"]


def test_options_and_properties_that_mean_the_same_are_one() -> None:
    found = parse(
        [
            "--master=yarn",
            "--conf",
            "spark.archives=s3://b/a.tgz#env,s3://b/c.zip",
            "-c",
            "spark.files=s3://b/f",
            "--py-files",
            "s3://b/p.zip",
            "--conf",
            "spark.submit.deployMode=cluster",
            "x.py",
        ],
        {
            "spark.archives": "s3://b/other.zip",
            "spark.submit.pyFiles": "s3://b/no.zip",
            "spark.yarn.dist.jars": "j",
        },
    )
    assert found.archives == ["s3://b/a.tgz#env", "s3://b/c.zip"]
    assert (found.files, found.py_files, found.jars) == (["s3://b/f"], ["s3://b/p.zip"], ["j"])
    assert (found.deploy_mode, found.conf) == ("cluster", {})


@pytest.mark.parametrize("wrong", [["--no-such", "x.py"], ["--name"], [], ["--conf"]])
def test_what_spark_itself_calls_wrong_is_left_to_spark(wrong: list[str]) -> None:
    assert parse(wrong).wrong == wrong


def test_hive_arguments() -> None:
    assert hive_arguments(["-f", "s3://b/q.hql", "-d", "a=1", "-hiveconf", "b=2", "--hivevar=c=d e"]) == [
        *("-f", "s3://b/q.hql", "-d", "a=1", "--hiveconf", "b=2", "--hivevar", "c=d e"),
    ]
    for wrong in (["-S"], ["-f"], ["--hiveconf"], ["q.hql"]):
        with pytest.raises(Refusal, match="ValidationException: hive "):
            hive_arguments(wrong)
    command_of(["hive-script", "--run-hive-script", "--args", "-f", "s3://b/q.hql"], {})
    with pytest.raises(Refusal, match="--hive-site is not supported"):
        command_of(["hive-script", "--run-hive-script", "--hive-site", "--args", "-f", "q"], {})


def test_spark_submit_parameters_are_split_as_a_shell_splits_them() -> None:
    driver = {
        "sparkSubmit": {
            "entryPoint": "s3://b/x.py",
            "entryPointArguments": ODD,
            "sparkSubmitParameters": "--conf spark.a='b c' --conf spark.d=e\\ f  --py-files s3://b/p.zip",
        }
    }
    job = job_of(driver, "Spark", Classified())
    assert job.submission is not None
    assert job.submission.conf == {"spark.a": "b c", "spark.d": "e f"}
    assert job.submission.arguments == ODD
    hive = job_of({"hive": {"query": "select 1", "parameters": "--hivevar a='b c'"}}, "Hive", Classified())
    assert hive.hive == ["--hivevar", "a=b c", "-e", "select 1"]
    assert (job.log_folder, hive.log_folder) == ("SPARK_DRIVER", "HIVE_DRIVER")


def test_classifications(tmp_path: Path, node: Node) -> None:
    found = classify(
        [
            {
                "Classification": "spark-defaults",
                "Properties": {"spark.x": "a\\b", "spark.driver.memory": "512m"},
            },
            {"Classification": "spark-defaults", "Properties": {"spark.submit.pyFiles": "s3://b/p.zip"}},
            {
                "Classification": "spark-env",
                "Properties": {},
                "Configurations": [{"Classification": "export", "Properties": {"A_B": '"c d"'}}],
            },
            {"Classification": "core-site", "Properties": {"io.x": "1"}},
            {"Classification": "yarn-site", "Properties": {"yarn.resourcemanager.am.max-attempts": "1"}},
            {"Classification": "hive-site", "Properties": {"hive.metastore.uris": "thrift://h", "a": "<&>"}},
            {"Classification": "hue-ini", "Properties": {}},
        ]
    )
    assert found.env == {"A_B": "c d"}
    assert found.yarn == {"yarn.resourcemanager.am.max-attempts": "1"}
    write_conf(node, tmp_path, found, tmp_path / "conf")
    lines = (tmp_path / "conf" / "spark-defaults.conf").read_text().splitlines()
    properties = dict(line.split(" ", 1) for line in lines)
    assert properties["spark.x"] == "a\\\\b"
    assert properties["spark.driver.memory"] == "512m"
    assert properties["spark.hadoop.io.x"] == "1"
    assert properties["spark.master"] == "local[2]"
    assert "spark.submit.pyFiles" not in properties, "the container has it already"
    site = (tmp_path / "conf" / "hive-site.xml").read_text()
    assert "<name>a</name><value>&lt;&amp;&gt;</value>" in site
    assert "thrift" not in site
    assert f"databaseName={tmp_path}/metastore" in site


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"Classification": "flink-conf"}, "'flink-conf' is not supported"),
        ({"Classification": "spark-env", "Configurations": [{"Classification": "x"}]}, "'export'"),
        (
            {
                "Classification": "spark-env",
                "Configurations": [{"Classification": "export", "Properties": {"A;rm": "x"}}],
            },
            "not the name of a variable",
        ),
        ({"Classification": "hive-site", "Configurations": [{"Classification": "x"}]}, "no nested"),
    ],
)
def test_a_classification_that_can_not_be_honoured(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(Refusal, match=words):
        classify([wrong])


def tar(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, 0o755
    return info


def test_archives_are_unpacked(tmp_path: Path) -> None:
    unpack(tar(tmp_path / "a.tar.gz", (member("bin/run"), b"x")), tmp_path / "one")
    assert (tmp_path / "one" / "bin" / "run").stat().st_mode & stat.S_IXUSR
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        info = zipfile.ZipInfo("lib/tool")
        info.external_attr = 0o755 << 16
        archive.writestr(info, "x")
    unpack(tmp_path / "a.zip", tmp_path / "two")
    assert (tmp_path / "two" / "lib" / "tool").stat().st_mode & stat.S_IXUSR
    (tmp_path / "model.bin").write_bytes(b"m")
    unpack(tmp_path / "model.bin", tmp_path / "three")
    assert (tmp_path / "three" / "model.bin").read_bytes() == b"m"


@pytest.mark.parametrize(
    "bad",
    [
        member("../escaped"),
        member("/tmp/engine-escaped"),  # noqa: S108
        member("link", tarfile.SYMTYPE, "/etc/passwd"),
        member("link", tarfile.SYMTYPE, "../../escaped"),
        member("link", tarfile.LNKTYPE, "../../escaped"),
        member("device", tarfile.CHRTYPE),
        member("pipe", tarfile.FIFOTYPE),
    ],
    ids=lambda info: f"{info.name}-{info.linkname}".replace("/", "_"),
)
def test_an_archive_never_reaches_outside(tmp_path: Path, bad: tarfile.TarInfo) -> None:
    (tmp_path / "in").mkdir()
    archive = tar(tmp_path / "bad.tar.gz", (member("good"), b"x"), (bad, b""))
    if bad.name.startswith("/"):  # Python takes the slash off: it lands inside
        unpack(archive, tmp_path / "in" / "x")
        assert not Path(bad.name).exists()
    else:
        with pytest.raises(BadArchive, match=r"bad\.tar\.gz can't be unpacked"):
            unpack(archive, tmp_path / "in" / "x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.tar.gz", "in"]


@pytest.mark.parametrize("name", ["../escaped", "/abs", "a/../../b"])
def test_a_zip_never_reaches_outside(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr("good", "x")
        archive.writestr(name, "x")
    with pytest.raises(BadArchive, match="would be outside"):
        unpack(tmp_path / "bad.zip", tmp_path / "in")
    assert list((tmp_path / "in").iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"not an archive", b"\x1f\x8b\x08cut"])
@pytest.mark.parametrize("name", ["a.tar.gz", "a.zip"])
def test_a_broken_archive_is_said(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadArchive, match="can't be unpacked"):
        unpack(tmp_path / name, tmp_path / "in")


def test_a_container_holds_what_yarn_puts_there(tmp_path: Path) -> None:
    here = tmp_path / "src"
    here.mkdir()
    for name in ("e.py", "f.txt", "p.zip", "j.jar"):
        (here / name).write_text(name)
    tar(here / "env.tar.gz", (member("pkg.py"), b"x"))
    found = parse(
        [
            "--archives",
            f"{here}/env.tar.gz#environment,{here}/env.tar.gz",
            "--files",
            f"file://{here}/f.txt#g.txt",
            "--py-files",
            f"{here}/p.zip",
            "--jars",
            f"{here}/j.jar",
            f"{here}/e.py",
            *ODD,
        ]
    )
    work = Work("j-1", "s-1")
    fetched = fetch_all(found, Storage("http://127.0.0.1:1", tmp_path / "cache"), tmp_path / "staging", work)
    box = tmp_path / "box"
    local = lay_out(fetched, found, box)
    names = {path.relative_to(box).as_posix() for path in box.rglob("*") if path.is_file()}
    assert names == {"environment/pkg.py", "env.tar.gz/pkg.py", "g.txt", "p.zip", "j.jar", "e.py"}
    assert (local.entry, local.py_files, local.archives) == (f"{box}/e.py", [f"{box}/p.zip"], [])
    assert local.arguments == ODD

    for wrong in (f"{here}/missing.py", "hdfs:///x.py", f"{here}/e.py#../up", "s3://b/"):
        with pytest.raises(Missing, match=r".+"):
            fetch_all(
                parse([wrong]),
                Storage("http://127.0.0.1:1", tmp_path / "cache"),
                tmp_path / wrong[-6:].strip("/."),
                work,
            )
    work.stop(grace=0)
    with pytest.raises(Stopped):
        fetch_all(found, Storage("http://127.0.0.1:1", tmp_path / "cache"), tmp_path / "again", work)


def test_the_last_exceptions_of_a_driver(tmp_path: Path) -> None:
    out, err = tmp_path / "out", tmp_path / "err"
    out.write_text('Traceback …\n  File "x.py"\nmy.pkg.BadInput: no\nValueError: on purpose\n')
    err.write_text("26/01/01 INFO all Exceptions are good\nCaused by: java.io.IOException: disk\n")
    found = last_exceptions(out, err)
    assert found == "Caused by: java.io.IOException: disk\nValueError: on purpose"


def test_work_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    """Also with a child in a session of its own that ignores SIGTERM."""
    script = (
        "import os, signal, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "open('up' + str(os.getpid()), 'w').close()\n"
        "time.sleep(60)\n"
    )
    work = Work("j-1", f"s-{time.monotonic_ns()}")
    import threading

    stopped: list[type[BaseException]] = []

    def run() -> None:
        try:
            work.run(
                [sys.executable, "-c", script],
                env={},
                cwd=tmp_path,
                stdout=tmp_path / "out",
                stderr=tmp_path / "out",
            )
        except Stopped as error:
            stopped.append(type(error))

    thread = threading.Thread(target=run)
    thread.start()
    while len(list(tmp_path.glob("up*"))) < 2:
        time.sleep(0.02)
    assert len(family(TASK, work.task)) == 2
    work.stop(grace=0.3)
    thread.join(timeout=5)
    assert stopped == [Stopped]
    assert family(TASK, work.task) == []
    with pytest.raises(Stopped):
        work.run(["true"], env={}, cwd=tmp_path, stdout=tmp_path / "out", stderr=tmp_path / "out")
