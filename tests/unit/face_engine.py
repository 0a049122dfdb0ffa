"""The face engine as it is deployed: a process of its own behind TLS, with clients, an audit log and an S3."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import boto3
from botocore.config import Config
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

#: Secrets of the clients; none may ever stand in a log.
SECRETS = {name: f"{name}-secret-canary-0123456789abcdef" for name in ("enrolment", "matching", "auditor")}

CLIENTS = f"""
[[client]]
name = "enrolment"
access_key_id = "AKIAENROLMENT0000000"
secret_access_key = "{SECRETS["enrolment"]}"
operations = ["read", "write"]
collections = "missing-"
buckets = ["pictures"]

[[client]]
name = "matching"
access_key_id = "AKIAMATCHING00000000"
secret_access_key = "{SECRETS["matching"]}"
operations = ["read"]
collections = "missing-"

[[client]]
name = "auditor"
access_key_id = "AKIAAUDITOR000000000"
secret_access_key = "{SECRETS["auditor"]}"
operations = ["ListCollections", "CreateCollection", "DeleteCollection"]
"""

KEYS = dict(zip(SECRETS, re.findall(r'access_key_id = "(\w+)"', CLIENTS), strict=True))


@dataclass
class Deployed:
    """The engine and what belongs to it."""

    folder: Path
    address: str = ""
    process: subprocess.Popen[bytes] = field(init=False)

    @property
    def ca(self) -> Path:
        return self.folder / "certificate.pem"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    @property
    def audit(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "audit.jsonl").read_text().splitlines()]

    def client(self, name: str, secret: str = "", region: str = "us-east-1", **more: Any) -> Any:
        """A client as any program has one: key, secret and whom to trust."""
        return boto3.client(
            "rekognition",
            endpoint_url=self.address,
            region_name=region,
            aws_access_key_id=KEYS.get(name, name),
            aws_secret_access_key=secret or SECRETS[name],
            verify=more.pop("verify", str(self.ca)),
            config=Config(retries={"total_max_attempts": 1}, proxies={}, parameter_validation=False, **more),
        )

    def start(self, *arguments: str, **environ: str) -> None:
        begun = len(self.log) if (self.folder / "log").exists() else 0
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "crime_engines.rekognition",
                    "--port",
                    "0",
                    *self._given(),
                    *arguments,
                ],
                stderr=log,
                env={
                    **os.environ,
                    "AWS_ACCESS_KEY_ID": "s3",
                    "AWS_SECRET_ACCESS_KEY": "s3-secret-canary",
                    **environ,
                },
            )
        for _ in range(600):
            if found := re.search(r"is at (\S+)", self.log[begun:]):
                self.address = found[1]
                return
            assert self.process.poll() is None, self.log[begun:]
            time.sleep(0.05)
        raise AssertionError(self.log[begun:])

    def _given(self) -> list[str]:
        given = {
            "--state": "state",
            "--tls-certificate": "certificate.pem",
            "--tls-key": "key.pem",
            "--clients": "clients.toml",
            "--audit": "audit.jsonl",
        }
        return [part for name, file in given.items() for part in (name, str(self.folder / file))]

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait(30)


@contextlib.contextmanager
def deploy(folder: Path, clients: str = CLIENTS) -> Iterator[Deployed]:
    """Deploy the engine in a folder, with an S3 that has the files of `folder`/s3."""
    certify(folder)
    private(folder / "clients.toml", clients.encode())
    made = Deployed(folder)
    with _s3(folder / "s3") as endpoint:
        made.start("--s3-endpoint", endpoint)
        try:
            yield made
        finally:
            made.kill()


def private(path: Path, content: bytes) -> Path:
    """Write a file for its owner only."""
    path.touch(0o600)
    path.write_bytes(content)
    return path


def certify(folder: Path) -> None:
    """Make a certificate for 127.0.0.1 that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "face engine")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(pem))
    plain = serialization.NoEncryption()
    private(folder / "key.pem", key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))


@contextlib.contextmanager
def _s3(folder: Path) -> Iterator[str]:
    folder.mkdir(exist_ok=True)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = folder / unquote(self.path.partition("?")[0]).lstrip("/")
            content = path.read_bytes() if path.is_file() else b"<Error><Code>NoSuchKey</Code></Error>"
            self.send_response(200 if path.is_file() else 404)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
