"""The analytics without Flink: SQL, properties, package, the service's calls, the template."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import Any

import duckdb
import pytest
from botocore.session import get_session
from botocore.stub import Stubber

from crime_jobs.errors import AwsRefused, BadInput, WrongUsage
from crime_jobs.model.baseline import from_csv
from crime_jobs.model.fir_event import SQL_COLUMNS
from crime_jobs.model.streams import StreamSettings
from crime_jobs.settings import Settings
from crime_jobs.stream.analytics import local, main, package, sql
from crime_jobs.stream.analytics.service import Application
from tests.unit.test_templates import load

STREAM = StreamSettings()
SETTINGS = Settings(
    env="test", region="ap-south-1", landing="data", lake="lake", spark_conf=None, sources={}, environ={}
)


@pytest.fixture
def laid_out(tmp_path: Path) -> Path:
    package.lay_out(STREAM, tmp_path / "application")
    return tmp_path / "application"


def test_the_source_has_the_columns_in_their_order_and_no_identity(laid_out: Path) -> None:
    source = next(main.statements(laid_out, {}))
    columns = re.findall(
        r"^    (\w+) (STRING|INT|BOOLEAN|DOUBLE|TIMESTAMP_LTZ\(3\))", source, flags=re.MULTILINE
    )
    assert [name for name, _ in columns] == [*(column.name for column in SQL_COLUMNS), "arrived_at"]
    assert dict(columns)["reported_at"] == "TIMESTAMP_LTZ(3)"
    assert "identity" not in "".join(main.statements(laid_out, {}))


def test_it_reads_a_stream_unless_another_connector_is_named(laid_out: Path) -> None:
    groups = {"source": {"stream": "a'b", "aws.region": "ap-south-1"}, "sink": {"stream": "out"}}
    source, sink, *_ = main.statements(laid_out, groups)
    assert "'stream' = 'a''b'" in source
    assert "'json.ignore-parse-errors' = 'true'" in source
    assert "METADATA FROM 'timestamp' VIRTUAL" in source
    assert "PARTITIONED BY (state_code, district)" in sink
    files = {"source": {"connector": "filesystem", "path": "/in"}}
    other = next(main.statements(laid_out, files))
    assert "METADATA" not in other
    assert "initpos" not in other


def test_the_statements_are_whole(laid_out: Path) -> None:
    found = list(main.statements(laid_out, {}))
    starts = [re.match(r"CREATE TABLE|CREATE TEMPORARY VIEW|INSERT INTO", one) for one in found]
    assert [start and start[0] for start in starts] == [
        *2 * ["CREATE TABLE"],
        *7 * ["CREATE TEMPORARY VIEW"],
        *4 * ["INSERT INTO"],
    ]
    assert not any(re.search(r";|\$\{|^\s*--", one, flags=re.MULTILINE) for one in found)


def test_what_is_expected_in_a_window_is_what_another_engine_says(laid_out: Path) -> None:
    views = (laid_out / "views.sql").read_text()
    (share,) = set(re.findall(r"CAST\((\S+) AS DOUBLE\)", views))
    assert f"INTERVAL '{sql.SURGE_MINUTES}' MINUTE" in views
    known = from_csv((laid_out / "baseline.csv").read_text())
    rows = duckdb.execute(
        "SELECT state_code, district, crime_group, cases_per_year * 15.0 / (365.25 * 24 * 60) FROM read_csv(?)",
        [str(laid_out / "baseline.csv")],
    ).fetchall()
    assert len(rows) == len(main.baseline(laid_out)) > 5000
    cases = {row[:3]: row[3] for row in main.baseline(laid_out)}
    for state, district, group, expected in rows:
        assert cases[state, district, group] * float(share) == pytest.approx(expected)
        assert known.expected(state, district, group, 15) == pytest.approx(expected)


def test_a_baseline_of_ones_own_is_checked(tmp_path: Path) -> None:
    bad = tmp_path / "mine.csv"
    bad.write_text("state,district\n")
    with pytest.raises(BadInput, match="line 1 is not"):
        package.content(StreamSettings(baseline=str(bad)))
    with pytest.raises(BadInput, match="can't be read"):
        package.content(StreamSettings(baseline=str(tmp_path / "none.csv")))


def test_properties_are_read_as_the_service_writes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_KINESIS"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "properties.json"
    package.write_properties(package.property_groups(SETTINGS, STREAM, {"flink": {"a": "b"}}), path)
    assert main.properties(path) == {
        "source": {"stream": "fir-stream", "aws.region": "ap-south-1"},
        "sink": {"stream": "fir-counts", "aws.region": "ap-south-1"},
        "flink": {"a": "b"},
    }


def jar(path: Path, **files: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "/"), text)
    return path


def test_the_zip_has_program_sql_baseline_and_one_jar_and_is_always_the_same(tmp_path: Path) -> None:
    first = jar(tmp_path / "flink-connector-kinesis-1.jar", a="1" * 500, **{"META-INF__NOTICE": "x"})
    second = jar(tmp_path / "joda-1.jar", b="2", **{"META-INF__NOTICE": "y"})
    assert package.find_jars(tmp_path) == [first, second]
    body = package.make_zip(STREAM, [first, second], tmp_path)
    assert body == package.make_zip(STREAM, [first, second], tmp_path)
    with zipfile.ZipFile(io.BytesIO(body)) as whole:
        assert whole.namelist() == [
            "baseline.csv",
            "lib/libraries.jar",
            "main.py",
            "results.sql",
            "sources.sql",
            "views.sql",
        ]
        with zipfile.ZipFile(io.BytesIO(whole.read("lib/libraries.jar"))) as libraries:
            assert {name: libraries.read(name) for name in libraries.namelist()} == {
                "a": b"1" * 500,
                "b": b"2",
                "META-INF/NOTICE": b"x",
            }


def test_jars_that_would_hide_each_others_services_are_refused(tmp_path: Path) -> None:
    service = {"META-INF__services__Factory": "one"}
    jars = [jar(tmp_path / "a.jar", **service), jar(tmp_path / "b.jar", **service)]
    with pytest.raises(BadInput, match="META-INF/services/Factory"):
        package.one_jar(jars, tmp_path / "whole.jar")


def test_what_is_missing_is_said_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(local.PYTHON_VARIABLE, raising=False)
    monkeypatch.setenv(package.JARS_VARIABLE, str(tmp_path))
    for missing in (local.find_python, package.find_jars):
        with pytest.raises(WrongUsage, match="make flink"):
            missing()


def test_the_newest_whole_checkpoint_is_the_one_to_go_on_from(tmp_path: Path) -> None:
    assert main.newest_checkpoint(tmp_path) is None
    (tmp_path / "job" / "chk-2").mkdir(parents=True)
    assert main.newest_checkpoint(tmp_path) is None
    whole = tmp_path / "job" / "chk-1"
    whole.mkdir()
    (whole / "_metadata").touch()
    assert main.newest_checkpoint(tmp_path) == whole


def detail(status: str) -> dict[str, Any]:
    code = {"BucketARN": "arn:aws:s3:::packages", "FileKey": "old.zip"}
    return {
        "ApplicationDetail": {
            "ApplicationARN": "arn:aws:kinesisanalytics:ap-south-1:111122223333:application/firs",
            "ApplicationName": "firs",
            "RuntimeEnvironment": "FLINK-1_20",
            "ApplicationStatus": status,
            "ApplicationVersionId": 3,
            "ApplicationConfigurationDescription": {
                "ApplicationCodeConfigurationDescription": {
                    "CodeContentType": "ZIPFILE",
                    "CodeContentDescription": {"S3ApplicationCodeLocationDescription": code},
                }
            },
        }
    }


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Any:
    session = get_session()
    session.set_credentials("key", "secret")
    client = session.create_client("kinesisanalyticsv2", region_name="ap-south-1")
    monkeypatch.setattr("crime_jobs.aws.client", lambda *_, **__: client)
    with Stubber(client) as stub:
        yield stub
        stub.assert_no_pending_responses()


def test_it_is_started_from_its_snapshot_and_given_another_zip(service: Stubber) -> None:
    name = {"ApplicationName": "firs"}
    restore = {"ApplicationRestoreType": "RESTORE_FROM_LATEST_SNAPSHOT"}
    service.add_response("describe_application", detail("READY"), name)
    service.add_response(
        "start_application", {}, {**name, "RunConfiguration": {"ApplicationRestoreConfiguration": restore}}
    )
    service.add_response("describe_application", detail("RUNNING"), name)
    service.add_response("describe_application", detail("RUNNING"), name)
    update = {"CodeContentUpdate": {"S3ContentLocationUpdate": {"FileKeyUpdate": "new.zip"}}}
    service.add_response(
        "update_application",
        detail("UPDATING"),
        {
            **name,
            "CurrentApplicationVersionId": 3,
            "ApplicationConfigurationUpdate": {"ApplicationCodeConfigurationUpdate": update},
        },
    )
    application = Application(SETTINGS, "firs")
    application.start()
    application.start()  # it runs: nothing is asked
    application.update("s3://packages/new.zip")
    service.add_response("describe_application", detail("RUNNING"), name)
    with pytest.raises(AwsRefused, match="the package is in elsewhere"):
        application.update("s3://elsewhere/new.zip")
    service.add_response("describe_application", detail("RUNNING"), name)
    assert application.status() == {
        "application": "firs",
        "status": "RUNNING",
        "version": 3,
        "runtime": "FLINK-1_20",
        "code": "old.zip",
    }


def test_the_template_gives_the_application_what_it_reads_and_no_more() -> None:
    resources = load("analytics")["Resources"]
    configuration = resources["Application"]["Properties"]["ApplicationConfiguration"]
    groups = {
        group["PropertyGroupId"]: group["PropertyMap"]
        for group in configuration["EnvironmentProperties"]["PropertyGroups"]
    }
    assert groups.pop(package.RUN_OPTIONS) == {"python": package.MAIN, "jarfile": package.LIBRARIES}
    assert {name: set(group) for name, group in groups.items()} == {
        "source": {"stream", "aws.region"},
        "sink": {"stream", "aws.region"},
    }
    assert configuration["ApplicationSnapshotConfiguration"]["SnapshotsEnabled"]
    (policy,) = resources["Role"]["Properties"]["Policies"]
    for given in policy["PolicyDocument"]["Statement"]:
        statement = given.get("Fn::If", [None, given])[1]
        assert not any("*" in action for action in [statement["Action"]] if isinstance(action, str))
        if statement["Resource"] == "*":
            assert statement["Sid"] == "SeeTheNetwork"
            assert all(action.startswith("ec2:Describe") for action in statement["Action"])
    firs = next(s for s in policy["PolicyDocument"]["Statement"] if s.get("Sid") == "ReadFirs")
    assert not any(action.startswith("kinesis:Put") for action in firs["Action"])
