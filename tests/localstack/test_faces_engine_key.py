"""A job under a role's session asks the deployed engine, by the key that a secret of the environment has.

The engine runs as it is deployed: behind TLS, with a file of clients and an audit log. The session's own
credentials, with a token, are good for LocalStack alone.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from crime_jobs import settings as settings_module
from crime_jobs.errors import AwsRefused, BadInput, WrongUsage
from crime_jobs.faces import _keys
from crime_jobs.faces.engine import Engine
from crime_jobs.faces.match import JOB
from crime_jobs.faces.withdraw import Withdrawal
from crime_jobs.model.faces import FaceSettings
from tests.localstack.conftest import Stack
from tests.localstack.faces import PURPOSE, Room
from tests.photographs import file, head
from tests.unit.face_engine import Deployed, deploy

#: By the setting that names its secret: what the engine's file of clients has, and what may be in no log.
KEYS = {
    "engine_secret": ("AKIACANARYREADS00000", "canary-secret-that-reads-0123456789abcdef"),
    "engine_write_secret": ("AKIACANARYWRITES0000", "canary-secret-that-writes-0123456789abcdef"),
}
CANARIES = re.compile("|".join(word for key in KEYS.values() for word in key))

CLIENTS = "".join(
    f'[[client]]\nname = "{name}"\naccess_key_id = "{key}"\nsecret_access_key = "{secret}"\n'
    f'operations = {operations}\ncollections = "crime-jobs-"\n'
    for (name, (key, secret)), operations in zip(KEYS.items(), ('["read"]', '["read", "write"]'), strict=True)
)


@dataclass
class Session:
    """The deployed engine, and an environment whose faces are compared there."""

    engine: Deployed
    room: Room
    folder: Path

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-m", "crime_jobs.cli", "faces", *arguments, "--env", "own"]
        return subprocess.run(
            words, cwd=self.folder, capture_output=True, text=True, timeout=300, check=False
        )


@pytest.fixture(scope="module")
def session(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    folder = tmp_path_factory.mktemp("engine-key")
    secrets = stack.client("secretsmanager")
    names: dict[str, str] = {}
    room = Room(stack)
    for setting, (key, secret) in KEYS.items():
        text = json.dumps({"access_key_id": key, "secret_access_key": secret})
        made = secrets.create_secret(Name=f"{room.name}/{setting}", SecretString=text)
        names[setting] = made["ARN" if setting == "engine_secret" else "Name"]
    room.faces = FaceSettings.model_validate({"engine": "on-premises", "calls_per_second": 200, **names})
    own = settings_module.load("local", {"region": "us-east-1"}, environ=stack.env, folder=folder)
    (folder / "spark.conf").write_text(
        Path(str(own.spark_conf)).read_text()
        + f"\nspark.eventLog.enabled true\nspark.eventLog.dir {folder.as_uri()}/events\n"
    )
    (folder / "events").mkdir()
    told = "\n".join(f"{name} = {json.dumps(value)}" for name, value in room.faces.model_dump().items())
    (folder / "crime-jobs.toml").write_text(
        f'[own]\nregion = "us-east-1"\nlanding = "s3://landing"\nlake = "lake"\n\n[own.faces]\n{told}\n'
    )
    with deploy(folder, CLIENTS) as engine, pytest.MonkeyPatch.context() as patch:
        for name, value in stack.env.items():
            patch.setenv(name, value)
        patch.setenv("CRIME_JOBS_SPARK_CONF", str(folder / "spark.conf"))
        patch.setenv("AWS_SESSION_TOKEN", "as a role's session has one")
        patch.setenv("AWS_ENDPOINT_URL_REKOGNITION", engine.address)
        patch.setenv("AWS_CA_BUNDLE", str(engine.ca))
        patch.setenv("NO_PROXY", "127.0.0.1")
        yield Session(engine, room, folder)
    for name in names.values():
        secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)


def test_a_roles_session_enrols_and_matches_and_the_key_is_nowhere_but_there(session: Session) -> None:
    """Driver and executors: the job is one of Spark, with its event log; what a step of EMR is told is looked at."""
    room, engine = session.room, session.engine
    room.enrol({"MP/1": {"a.jpg": file(head())}, "MP/2": {"b.jpg": file(head(), quality=60)}})
    place = room.put("camera/one.jpg", file(head(), quality=70))
    options = ("--watch-list", room.name, "--purpose", PURPOSE.value)
    done = session.command("match", room.photographs, *options, "--output", "json", "--yes")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["leads_new"] == 2
    assert {lead.places for lead in room.leads} == {(place,)}
    withdrawal = Withdrawal(room.settings, room.faces, room.name)
    withdrawal.withdraw(withdrawal.find("MP/2"), "found", keep_photographs=False)
    asked = {(line["client"], line["operation"]) for line in engine.audit if line.get("code") == "OK"}
    assert {("engine_secret", "SearchFacesByImage"), ("engine_write_secret", "IndexFaces")} <= asked
    assert ("engine_write_secret", "DeleteFaces") in asked
    assert not {"SearchFacesByImage"} & {op for client, op in asked if client == "engine_write_secret"}
    own = settings_module.load("own", {}, environ={}, folder=session.folder)
    told = {name: str(value) for name, value in room.options().items() if name != "faces"}
    step = JOB.options_from(own, told).values()
    assert any(room.faces.engine_secret in word for word in step)
    events = [path.read_text() for path in (session.folder / "events").iterdir()]
    assert "SparkListenerTaskEnd" in "".join(events)
    audit = json.dumps(engine.audit)
    for text in (done.stdout, done.stderr, *events, *step, engine.log, audit, repr(room.faces)):
        assert not CANARIES.search(text)


def test_without_the_secret_the_session_is_refused_and_told_what_is_lacking(session: Session) -> None:
    """As an EMR job was before; and what a secret is that will not do, without what stands in it."""
    room = session.room
    for writes, setting in ((False, "engine_secret"), (True, "engine_write_secret")):
        without = room.faces.model_copy(update={setting: ""})
        with pytest.raises(AwsRefused) as refused:
            Engine(room.settings, without, writes=writes).identity()
        assert f"{setting} in the environment's faces table" in refused.value.hint
        assert not CANARIES.search(str(refused.value) + refused.value.hint)
    secrets = room.stack.client("secretsmanager")
    for number, text in enumerate(("canary no JSON", '["canary"]', '{"access_key_id": "canary"}', "{}")):
        name = f"{room.name}/bad-{number}"
        secrets.create_secret(Name=name, SecretString=text)
        with pytest.raises(BadInput) as bad:
            _keys.access_key(room.settings, name)
        assert name in str(bad.value)
        assert "canary" not in str(bad.value)
        assert bad.value.__cause__ is None
        secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    with pytest.raises(AwsRefused, match="Reading the secret not-there"):
        _keys.access_key(room.settings, "not-there")
    with pytest.raises(WrongUsage, match="eu-west-1"):
        _keys.access_key(room.settings, "arn:aws:secretsmanager:eu-west-1:123456789012:secret:x-a1b2c3")


def test_a_key_of_ones_own_goes_to_no_address_of_aws(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address was forgotten: that is said before anything is asked."""
    monkeypatch.delenv("AWS_ENDPOINT_URL_REKOGNITION")
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", session.room.stack.endpoint)
    engine = Engine(session.room.settings, session.room.faces)
    with pytest.raises(WrongUsage, match="answers rekognition"):
        engine.identity()
    assert not engine.calls
