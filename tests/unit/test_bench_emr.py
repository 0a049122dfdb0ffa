"""What the benchmark of submitting rests on: the relay's counts, and that both commands run the same work."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks import emr_submit
from benchmarks.emr_relay import Relay, Sent
from benchmarks.emr_submit import Turn
from crime_jobs.emr.package import Manifest
from crime_jobs.emr.work import Work, job_run, step
from crime_jobs.settings import load

ROLE = "arn:aws:iam::000000000000:role/r"
WORDS = ["crime_group_heads", "--landing", "s3://l/n", "--lake", "s3://l/k", "--outcome", "s3://o/1"]
SETTINGS = load(None, {"landing": "s3://l/n", "lake": "s3://l/k", "runtime_role": ROLE})
MANIFEST = Manifest(
    entry="s3://a/entry.py",
    code="s3://a/code.zip",
    environment="s3://a/e.tar.gz",
    hive={},
    python="3.11",
    release="emr-7.13.0",
    architecture="x86_64",
    packages={},
    version="0.1.0",
    uri="s3://a/manifest.json",
)


class _Store(BaseHTTPRequestHandler):
    """Takes anything and answers with as many bytes as came."""

    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT  # noqa: N815 - so http.server calls it

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def store() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Store) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_the_relay_passes_everything_on_and_counts_it(store: str) -> None:
    body = b"PUT /x HTTP/1.1 is no request in here\r\n" * 50_000  # many pieces
    with Relay(store) as relay:
        connection = http.client.HTTPConnection(relay.url.removeprefix("http://"), timeout=10)
        for method, data in (("PUT", body), ("GET", b""), ("PUT", b"12345")):
            connection.request(method, "/bucket/key", data)
            assert connection.getresponse().read() == data
        connection.close()
        assert relay.sent == Sent({"PUT": 2, "GET": 1}, len(body) + 5)


def test_emr_cli_is_given_the_step_s_options_and_arguments() -> None:
    work = Work("crime_group_heads")
    config = step(work, MANIFEST, SETTINGS, "s3://o/1")
    options, arguments = emr_submit.same_work({"JobFlowId": "j-1", "Steps": [config]})
    assert arguments == WORDS
    sent = config["HadoopJarStep"]["Args"]
    name = sent.index("--name")
    left_out = ["spark-submit", "--deploy-mode", "cluster", *sent[name : name + 2]]
    assert [*left_out, *options, MANIFEST.entry, *arguments] == sent
    assert not any(" " in word for word in options)  # emr-cli splits there


def test_emr_cli_is_given_the_job_run_s_properties_and_arguments() -> None:
    sent = job_run(Work("crime_group_heads"), MANIFEST, SETTINGS, "s3://o/1")
    options, arguments = emr_submit.same_work({"applicationId": "00f", **sent})
    assert arguments == WORDS
    given = dict(word.split("=", 1) for word in options if word != "--conf")
    assert given == sent["configurationOverrides"]["applicationConfiguration"][0]["properties"]


def test_the_table_has_medians_and_how_many_times_ours_theirs_is() -> None:
    turns: dict[emr_submit.Who, list[Turn]] = {
        "crime-jobs": [Turn(1, 9, 2), Turn(3, 9, 1), Turn(2, 9, 30)],
        "emr-cli": [Turn(1, 8, 20), Turn(1, 9, 10), Turn(1, 9, 5)],
    }
    sent: dict[emr_submit.Who, Sent] = {
        "crime-jobs": Sent({"HEAD": 17, "GET": 1}, 0),
        "emr-cli": Sent({"PUT": 2}, 1390),
    }
    ours, theirs = emr_submit.rows("cluster", turns, sent)
    assert ours[1:] == ("2.0 (1.0-3.0)", "1.0", "9.0 (9.0-9.0)", "2.0 (1.0-30.0)", "1.0", "0", "0", "18")
    assert theirs[1:] == (
        "1.0 (1.0-1.0)",
        "0.5",
        "9.0 (8.0-9.0)",
        "10.0 (5.0-20.0)",
        "5.0",
        "2",
        "1,390",
        "0",
    )
    assert len(ours) == len(emr_submit.HEADINGS)
