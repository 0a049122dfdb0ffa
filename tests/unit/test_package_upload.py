"""Uploads against a server that answers as told: refusals that LocalStack does not know."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from crime_jobs import aws, settings
from crime_jobs.emr import _upload, package
from crime_jobs.emr._upload import Part
from crime_jobs.errors import AwsRefused, CrimeJobsError, WrongUsage

Answer = tuple[int, str]
SETTINGS = settings.load("local", {"region": "us-east-1", "artifacts": "s3://here/below"}, environ={})


def part(body: bytes = b"content", name: str = "code") -> Part:
    return Part(name, f"below/{name}.zip", body, hashlib.sha256(body).hexdigest(), len(body))


class Scripted:
    """Answers each request with the next of its method's answers; the last one stays."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        if (method, path) == ("HEAD", "/here"):  # the guard asks once where the bucket is
            return (200, "")
        self.seen.append((method, path, headers, body))
        left = self.answers[method]
        return left.pop(0) if len(left) > 1 else left[0]

    def methods(self) -> list[str]:
        return [method for method, *_ in self.seen]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scripted]:
    scripted = Scripted()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {k.lower(): v for k, v in self.headers.items()}
            status, code = scripted.answer(self.command, self.path, headers, body)
            said = (
                f"<Error><Code>{code}</Code><Message>said {code}</Message></Error>".encode() if code else b""
            )
            self.send_response(status)
            head = self.command == "HEAD"
            length = part().size if head and status == 200 else 0 if head else len(said)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(b"" if head else said)

        do_HEAD = do_PUT = do  # noqa: N815 - names of http.server

        def log_message(self, *_: Any) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{httpd.server_port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    yield scripted
    httpd.shutdown()
    httpd.server_close()
    thread.join()


def send(*parts: Part, tell: Callable[..., None] = lambda *_: None) -> set[str]:
    return _upload.upload(aws.client("s3", SETTINGS), "here", parts or [part()], tell)


def test_what_is_sent_can_be_checked_and_overwrites_nothing(server: Scripted) -> None:
    server.answers = {"HEAD": [(404, "")], "PUT": [(200, "")]}
    assert send() == {"below/code.zip"}
    method, path, headers, body = server.seen[-1]
    assert (method, path, body) == ("PUT", "/here/below/code.zip", b"content")
    assert headers["if-none-match"] == "*"
    assert headers["x-amz-checksum-sha256"] == "7XACtDnprIRfIjV9giusFERzD722AW0+yUMil7nsn3M="
    assert "x-amz-server-side-encryption" not in headers  # that is the bucket's to say


def test_what_is_there_is_not_sent(server: Scripted) -> None:
    server.answers = {"HEAD": [(200, "")]}
    assert send() == set()
    assert server.methods() == ["HEAD"]


@pytest.mark.parametrize("answer", [(412, "PreconditionFailed"), (409, "ConditionalRequestConflict")])
def test_somebody_else_was_first(server: Scripted, answer: Answer) -> None:
    server.answers = {"HEAD": [(404, ""), (200, "")], "PUT": [answer]}
    assert send() == set()
    assert server.methods() == ["HEAD", "PUT", "HEAD"]


def test_somebody_else_was_first_and_gave_up(server: Scripted) -> None:
    server.answers = {"HEAD": [(404, "")], "PUT": [(409, "ConditionalRequestConflict"), (200, "")]}
    assert send() == {"below/code.zip"}


def test_one_who_may_write_but_not_list_is_served(server: Scripted) -> None:
    server.answers = {"HEAD": [(403, "")], "PUT": [(200, "")]}
    assert send() == {"below/code.zip"}


def test_one_who_may_neither_write_nor_read_is_told(server: Scripted) -> None:
    server.answers = {"HEAD": [(403, "")], "PUT": [(403, "AccessDenied")]}
    with pytest.raises(
        AwsRefused, match=r"Uploading code to s3://here/below/code\.zip: said AccessDenied"
    ) as failed:
        send()
    assert "PutObject" in failed.value.hint


def test_slow_down_is_obeyed(server: Scripted) -> None:
    server.answers = {"HEAD": [(404, "")], "PUT": [(503, "SlowDown"), (500, "InternalError"), (200, "")]}
    told: list[int] = []
    assert send(tell=lambda _, done, total: told.append(done)) == {"below/code.zip"}
    assert server.methods().count("PUT") == 3
    assert max(told) == len(b"content")  # sent three times, and read more often: counted once
    assert all(body == b"content" for method, _, _, body in server.seen if method == "PUT")


def test_other_bytes_under_our_key_are_reported_not_overwritten(server: Scripted) -> None:
    server.answers = {"HEAD": [(200, "")]}
    with pytest.raises(CrimeJobsError, match="holds other bytes than its name says"):
        send(part(b"longer content"))
    assert "PUT" not in server.methods()


def test_one_refusal_ends_all(server: Scripted) -> None:
    server.answers = {"HEAD": [(404, "")], "PUT": [(403, "AccessDenied")]}
    with pytest.raises(AwsRefused):
        send(*(part(name=f"p{i}") for i in range(200)))
    assert server.methods().count("PUT") < 100


def test_a_file_too_large_for_one_request_is_refused_before_anything_is_sent(server: Scripted) -> None:
    large = Part("environment", "k", Path("/nowhere"), "00", 5 * 1024**3 + 1)
    with pytest.raises(CrimeJobsError, match=r"environment has 5,368,709,121 bytes"):
        send(part(), large)
    assert server.seen == []


def test_an_archive_damaged_in_the_cache_is_not_sent(server: Scripted, tmp_path: Path) -> None:
    path = tmp_path / "archive"
    path.write_bytes(b"contents")
    server.answers = {"HEAD": [(404, "")]}
    with pytest.raises(_upload.Damaged, match="was damaged since it was made"):
        send(Part("environment", "k", path, part().sha256, 8))
    assert "PUT" not in server.methods()


def test_no_place_to_ship_to() -> None:
    nowhere = settings.load("local", {"region": "us-east-1"}, environ={})
    with pytest.raises(WrongUsage, match="Nothing says where packages of environment 'local' go") as failed:
        package.ship(nowhere)
    for place in ("--artifacts", "CRIME_JOBS_ARTIFACTS", "[local] of crime-jobs.toml"):
        assert place in failed.value.hint
