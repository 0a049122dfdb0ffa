"""What goes wrong with a submission is said, with a true exit code, and nothing is left behind."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.localstack.conftest import Stack
from tests.localstack.emr import Emr, alive, line_with, until

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def emr(stack: Stack) -> Iterator[Emr]:
    made = Emr(stack)
    yield made
    made.clear_faults()
    made.end()


@pytest.fixture(scope="module")
def cluster(emr: Emr) -> str:
    return emr.cluster("faults", concurrency=4)


@pytest.fixture(autouse=True)
def _healthy(emr: Emr) -> Iterator[None]:
    yield
    emr.clear_faults()
    emr.pace(log_delay_seconds=0)


@pytest.fixture(scope="module", autouse=True)
def packed(emr: Emr) -> None:
    """The package is made once; what follows finds it in place."""
    done = emr.command("package")
    assert done.returncode == 0, done.stderr


def add(emr: Emr, cluster: str, *arguments: str, name: str = "raw") -> str:
    """Add a step that is not one of ours."""
    step = {
        "Name": name,
        "ActionOnFailure": "CONTINUE",
        "HadoopJarStep": {"Jar": "command-runner.jar", "Args": list(arguments)},
    }
    return str(emr.client("emr").add_job_flow_steps(JobFlowId=cluster, Steps=[step])["StepIds"][0])


def python_step(emr: Emr, cluster: str, text: str, *options: str, arguments: tuple[str, ...] = ()) -> str:
    """Add a step that runs a Python program by spark-submit, in cluster mode."""
    uri = emr.stack.fresh("program", "crime-artifacts") + ".py"
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    emr.stack.client("s3").put_object(Bucket=bucket, Key=key, Body=text.encode())
    return add(emr, cluster, "spark-submit", "--deploy-mode", "cluster", *options, uri, *arguments)


def state(emr: Emr, cluster: str, step: str) -> str:
    return str(emr.client("emr").describe_step(ClusterId=cluster, StepId=step)["Step"]["Status"]["State"])


def under_way(emr: Emr, cluster: str) -> list[str]:
    return [s["Id"] for s in emr.steps(cluster) if s["Status"]["State"] in ("PENDING", "RUNNING")]


def empty_landing(emr: Emr) -> str:
    """A landing folder with one file that is not what it should be."""
    uri = emr.stack.fresh("landing", "crime-landing")
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    emr.stack.client("s3").put_object(
        Bucket=bucket, Key=f"{prefix}/01_odd.csv", Body=b"no,such,header\n1,2,3\n"
    )
    return uri


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("clean_ncbr",), "clean_ncbr"),
        (("hot_spots", "--set", "nothing=1"), "no option 'nothing'"),
        (("hot_spots", "--on", "no-such-cluster"), "is called 'no-such-cluster'"),
        (("hot_spots", "--landing", "data"), "a folder of this machine"),
    ],
)
def test_wrong_usage_costs_nothing(emr: Emr, cluster: str, arguments: tuple[str, ...], said: str) -> None:
    before = len(emr.steps(cluster))
    done = emr.command("submit", *arguments, CRIME_JOBS_ON=cluster)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert len(emr.steps(cluster)) == before


def test_a_bucket_that_is_not_there(emr: Emr, cluster: str) -> None:
    before = len(emr.steps(cluster))
    done = emr.command("submit", "hot_spots", "--on", cluster, "--artifacts", "s3://no-such-bucket-of-ours")
    assert done.returncode == 4, done.stderr
    assert "no-such-bucket-of-ours" in done.stderr
    assert len(emr.steps(cluster)) == before


def test_a_cluster_of_another_region_is_not_found(emr: Emr, cluster: str) -> None:
    done = emr.command("submit", "hot_spots", "--on", cluster, "--region", "eu-west-1")
    assert done.returncode == 4
    assert f"'{cluster}' is not valid" in done.stderr
    done = emr.command("submit", "hot_spots", "--on", "faults", "--region", "eu-west-1")
    assert done.returncode == 2
    assert "in eu-west-1 is called 'faults'" in done.stderr


def test_no_permission(emr: Emr, cluster: str) -> None:
    emr.fault("AddJobFlowSteps", "AccessDeniedException", "User is not authorized to perform this", times=99)
    before = len(emr.steps(cluster))
    done = emr.command("submit", "hot_spots", "--on", cluster)
    assert done.returncode == 4
    assert "not authorized" in done.stderr
    assert "needs the permission for AddJobFlowSteps" in done.stderr
    assert len(emr.steps(cluster)) == before


def test_throttled_on_every_call_it_runs_once(emr: Emr, cluster: str) -> None:
    for operation in ("DescribeCluster", "AddJobFlowSteps", "DescribeStep", "ListSteps"):
        emr.fault(operation, "ThrottlingException", "Rate exceeded", times=2)
    before = len(emr.steps(cluster))
    lake = emr.stack.fresh("throttled")
    done = emr.command("submit", "crime_group_heads", "--on", cluster, "--lake", lake)
    assert done.returncode == 0, done.stderr
    assert emr.faults_left() == []  # each was met
    assert len(emr.steps(cluster)) == before + 1
    assert json.loads(done.stdout)["rows_written"] > 0


def test_throttled_to_the_end_it_gives_up(emr: Emr, cluster: str) -> None:
    emr.fault("AddJobFlowSteps", "ThrottlingException", "Rate exceeded", times=99)
    done = emr.command("submit", "crime_group_heads", "--on", cluster)
    assert done.returncode == 4
    assert "Rate exceeded" in done.stderr
    assert not under_way(emr, cluster)


class _LosesAnswers(BaseHTTPRequestHandler):
    """Passes requests on; of the first AddJobFlowSteps the answer never arrives."""

    target = ""
    lost = 0
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        connection = http.client.HTTPConnection(urlsplit(self.target).netloc, timeout=30)
        headers = {k: v for k, v in self.headers.items() if k.lower() != "host"}
        connection.request("POST", self.path, body, headers)
        answer = connection.getresponse()
        said = answer.read()
        if self.headers["X-Amz-Target"].endswith("AddJobFlowSteps") and not type(self).lost:
            type(self).lost += 1
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() in ("content-type", "x-amzn-requestid"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
        pass


def test_an_answer_that_is_lost_does_not_make_a_second_step(emr: Emr, cluster: str) -> None:
    _LosesAnswers.target, _LosesAnswers.lost = emr.stack.env["AWS_ENDPOINT_URL_EMR"], 0
    server = ThreadingHTTPServer(("127.0.0.1", 0), _LosesAnswers)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        before = len(emr.steps(cluster))
        done = emr.command(
            *("submit", "crime_group_heads", "--on", cluster, "--lake", emr.stack.fresh("lost")),
            AWS_ENDPOINT_URL_EMR=f"http://127.0.0.1:{server.server_address[1]}",
        )
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert done.returncode == 0, done.stderr
    assert _LosesAnswers.lost == 1
    assert len(emr.steps(cluster)) == before + 1


def test_credentials_that_expire_while_waiting_leave_the_step_running(emr: Emr, cluster: str) -> None:
    step = add(emr, cluster, "bash", "-c", "sleep 4")
    emr.fault("DescribeStep", "ExpiredTokenException", "The security token has expired", times=99, after=2)
    done = emr.command("watch", step, "--on", cluster)
    assert done.returncode == 4
    assert "security token has expired" in done.stderr
    assert f"({step}) itself goes on" in done.stderr
    assert f"crime-jobs watch {step} --on {cluster}" in done.stderr
    emr.clear_faults()
    done = emr.command("watch", step, "--on", cluster)
    assert done.returncode == 0, done.stderr


def test_a_cluster_that_ends_under_the_step(emr: Emr) -> None:
    doomed = emr.cluster("doomed")
    step = add(emr, doomed, "bash", "-c", "sleep 600")
    watching = emr.start("watch", step, "--on", doomed)
    until(lambda: state(emr, doomed, step) == "RUNNING", what="RUNNING")
    emr.client("emr").terminate_job_flows(JobFlowIds=[doomed])
    _, err = watching.communicate(timeout=60)
    assert watching.returncode == 1
    assert f"The cluster doomed ({doomed}) ended" in err


def test_bad_input_is_named_without_a_log(emr: Emr, cluster: str) -> None:
    emr.pace(log_delay_seconds=600)  # as on EMR, nothing to be had from the logs by then
    landing = empty_landing(emr)
    done = emr.command(
        *("submit", "clean_ncrb", "--on", cluster, "--landing", landing, "--lake", emr.stack.fresh("bad")),
    )
    assert done.returncode == 3, done.stderr
    for wanted in ("BadInput:", "01_odd.csv", "Was reading", "Traceback", "EMR says", "s3://crime-logs/emr/"):
        assert wanted in done.stderr


def test_what_follows_a_failure_is_not_run_unless_told(emr: Emr, cluster: str) -> None:
    landing, lake = empty_landing(emr), emr.stack.fresh("chain")
    places = ("--on", cluster, "--landing", landing, "--lake", lake)
    done = emr.command("submit", "clean_ncrb", "--then", "crime_group_heads", *places)
    assert done.returncode == 3
    assert "Not run: crime_group_heads" in done.stderr
    assert not [key for key in emr.stack.keys(lake) if "crime_group_heads" in key]
    done = emr.command("submit", "clean_ncrb", "--then-anyway", "crime_group_heads", *places)
    assert done.returncode == 3  # the whole has failed, though the second part was done
    assert [key for key in emr.stack.keys(lake) if key.endswith("crime_group_heads/_report.json")]


def test_a_program_that_raises_is_explained_from_its_log(emr: Emr, cluster: str) -> None:
    step = python_step(emr, cluster, "def f(x):\n    return 1 // x\n\nf(0)\n")
    done = emr.command("watch", step, "--on", cluster)
    assert done.returncode == 1
    assert "ZeroDivisionError: integer division or modulo by zero" in done.stderr
    assert "line 2, in f" in done.stderr
    again = emr.command("logs", step, "--on", cluster, "--only", "stdout")
    assert again.returncode == 0
    assert "ZeroDivisionError" in again.stdout


OUT_OF_MEMORY = """
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
spark._jvm.java.nio.ByteBuffer.allocate(2000000000)
"""


def test_out_of_memory(emr: Emr, cluster: str) -> None:
    step = python_step(emr, cluster, OUT_OF_MEMORY, "--driver-memory", "512m")
    done = emr.command("watch", step, "--on", cluster)
    assert done.returncode == 1
    assert "Spark ran out of memory: java.lang.OutOfMemoryError" in done.stderr
    assert "spark.driver.memory" in done.stderr


def test_success_without_an_outcome_is_a_failure(emr: Emr, cluster: str) -> None:
    uri = emr.stack.fresh("outcome", "crime-logs")
    step = python_step(emr, cluster, "print('did nothing')", arguments=("clean_ncrb", "--outcome", uri))
    done = emr.command("watch", step, "--on", cluster)
    assert state(emr, cluster, step) == "COMPLETED"
    assert done.returncode == 1
    assert "left no outcome" in done.stderr
    assert "did nothing" in done.stderr


def test_a_log_that_is_not_there_yet(emr: Emr, cluster: str) -> None:
    emr.pace(log_delay_seconds=6)
    step = add(emr, cluster, "bash", "-c", "echo the words; exit 7")
    until(lambda: state(emr, cluster, step) == "FAILED", what="FAILED")
    done = emr.command("logs", step, "--on", cluster)
    assert done.returncode == 1
    assert f"There is no log of {step} (FAILED) yet" in done.stderr
    assert f"/{cluster}/steps/{step}/" in done.stderr
    done = emr.command("logs", step, "--on", cluster, "--wait", "60")
    assert done.returncode == 0
    assert "the words" in done.stdout


def interrupt(process: subprocess.Popen[str], number: int = signal.SIGINT) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_ctrl_c_cancels_the_step_and_says_so(emr: Emr, cluster: str, number: int) -> None:
    note = emr.stack.fresh("pid", "crime-logs")
    hangs = f"""
import os, time
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
jvm = spark._jvm
path = jvm.org.apache.hadoop.fs.Path("{note}")
stream = path.getFileSystem(spark._jsc.hadoopConfiguration()).create(path)
stream.write(bytearray(str(os.getpid()).encode())); stream.close()
time.sleep(600)
"""
    step = python_step(emr, cluster, hangs)
    watching = emr.start("watch", step, "--on", cluster)
    until(lambda: emr.stack.keys(note), what="the running driver")
    bucket, _, key = note.removeprefix("s3://").partition("/")
    pid = int(emr.stack.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())
    assert alive(pid)
    line_with(watching, "RUNNING")
    interrupt(watching, number)
    _, err = watching.communicate(timeout=60)
    assert watching.returncode == 130, err
    assert f"Cancelled raw ({step})" in err
    assert state(emr, cluster, step) == "CANCELLED"
    until(lambda: not alive(pid), 20, "the end of the driver's process")


def test_a_second_ctrl_c_leaves_the_step(emr: Emr, cluster: str) -> None:
    step = add(emr, cluster, "bash", "-c", "trap '' TERM INT; sleep 60 & wait; wait")
    emr.fault("CancelSteps", "ThrottlingException", "Rate exceeded", times=99)  # so that it takes its time
    watching = emr.start("watch", step, "--on", cluster)
    line_with(watching, "RUNNING")
    interrupt(watching)
    until(lambda: emr.calls("CancelSteps"), 20, "the cancellation")
    interrupt(watching)
    _, err = watching.communicate(timeout=60)
    assert watching.returncode == 130
    assert "Left raw" in err
    assert f"crime-jobs watch {step}" in err
    emr.clear_faults()
    done = emr.command("cancel", step, "--on", cluster)
    assert done.returncode == 0, done.stderr
    assert state(emr, cluster, step) == "CANCELLED"


def test_two_submissions_at_once(emr: Emr) -> None:
    one_by_one = emr.cluster("one-by-one")
    lake = emr.stack.fresh("both")
    before = {key for key in emr.stack.keys("s3://crime-artifacts") if "program" not in key}
    both = [emr.start("submit", "crime_group_heads", "--on", one_by_one, "--lake", lake) for _ in range(2)]
    for process in both:
        _, err = process.communicate(timeout=200)
        assert process.returncode == 0, err
    steps = emr.steps(one_by_one)
    assert [step["Status"]["State"] for step in steps] == ["COMPLETED", "COMPLETED"]
    assert len({step["Name"] for step in steps}) == 2
    assert {key for key in emr.stack.keys("s3://crime-artifacts") if "program" not in key} == before
    report = json.loads(read(emr, f"{lake}/crime_group_heads/_report.json"))
    there = [key for key in emr.stack.keys(f"{lake}/crime_group_heads/") if key.endswith(".parquet")]
    assert len(there) == len(report["files"])


def test_two_writers_of_a_table_at_once_are_refused(emr: Emr, cluster: str) -> None:
    step = add(emr, cluster, "bash", "-c", "sleep 600", name="crime_group_heads 0123456789ab")
    done = emr.command("submit", "all", "--on", cluster, "--lake", emr.stack.fresh("two"))
    assert done.returncode == 2
    assert f"crime_group_heads 0123456789ab ({step}, " in done.stderr
    assert "writes crime_group_heads too" in done.stderr
    emr.command("cancel", step, "--on", cluster)


def read(emr: Emr, uri: str) -> str:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return str(emr.stack.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode())


def test_nothing_is_left_of_all_this(emr: Emr, cluster: str) -> None:
    """Last in this file: no step is under way, no upload half-done."""
    assert not under_way(emr, cluster)
    uploads = emr.stack.client("s3").list_multipart_uploads(Bucket="crime-artifacts").get("Uploads", [])
    assert uploads == []
