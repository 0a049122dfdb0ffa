"""What is typed becomes a request that AWS takes, with each argument as it was typed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.session import get_session
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st

from crime_jobs import settings as settings_module
from crime_jobs.cli_parse import given as typed
from crime_jobs.emr.package import Manifest
from crime_jobs.emr.runs import bare_name, new_token
from crime_jobs.emr.work import Work, job_run, parse, step
from crime_jobs.errors import WrongUsage

MANIFEST = Manifest(
    entry="s3://a/entry-1.py",
    code="s3://a/crime_jobs-1.zip",
    environment="s3://a/environment-1.tar.gz",
    hive={"40_insight_by_region": "s3://a/hive/1/40_insight_by_region.hql"},
    python="3.11",
    release="emr-7.13.0",
    architecture="x86_64",
    packages={},
    version="0",
    uri="s3://a/manifest-1.json",
)

#: What a shell can hand over: no null; and no line break, which is refused.
WORDS = st.text(st.characters(exclude_characters="\0\n\r", exclude_categories=["Cs"]), max_size=40)


def make(**options: str) -> settings_module.Settings:
    given_options = {
        "landing": "s3://landing/ncrb",
        "lake": "s3://lake/lake",
        "logs": "s3://logs/emr",
        **options,
    }
    environ = {"CRIME_JOBS_RUNTIME_ROLE": "arn:aws:iam::000000000000:role/r", "AWS_REGION": "us-east-1"}
    return settings_module.load("local", given_options, environ=environ, folder=Path("/nonexistent"))


def accepted(service: str, operation: str, request: dict[str, Any]) -> None:
    """Held against the service's own model, as boto3 does before it sends."""
    model = get_session().get_service_model(service).operation_model(operation)
    report = ParamValidator().validate(request, model.input_shape)
    assert not report.has_errors(), report.generate_report()


@given(st.lists(WORDS, max_size=5))
def test_a_step_carries_each_argument_as_typed(words: list[str]) -> None:
    request = step(Work("hot_spots", tuple(words)), MANIFEST, make(), "s3://logs/emr/outcomes/1")
    arguments = request["HadoopJarStep"]["Args"]
    at = arguments.index(MANIFEST.entry)
    assert arguments[at + 1 : at + 2 + len(words)] == ["hot_spots", *words]
    accepted("emr", "AddJobFlowSteps", {"JobFlowId": "j-1", "Steps": [request]})


@given(st.lists(WORDS, max_size=5))
def test_a_job_run_carries_each_argument_as_typed(words: list[str]) -> None:
    request = job_run(Work("hot_spots", tuple(words)), MANIFEST, make(), "s3://logs/emr/outcomes/1")
    told = request["jobDriver"]["sparkSubmit"]
    assert told["entryPointArguments"][: 1 + len(words)] == ["hot_spots", *words]
    assert "sparkSubmitParameters" not in told  # one string, which the service splits at blanks
    # The service's own limit: no argument may be empty.
    if all(words):
        accepted("emr-serverless", "StartJobRun", {"applicationId": "00f1", "clientToken": "t", **request})


def test_spark_properties_are_elements_and_not_a_string() -> None:
    conf = {"spark.driver.extraJavaOptions": "-Da='x y' -Db=1,2"}
    arguments = step(Work("hot_spots"), MANIFEST, make(), None, conf=conf)["HadoopJarStep"]["Args"]
    assert arguments[arguments.index("spark.driver.extraJavaOptions=-Da='x y' -Db=1,2") - 1] == "--conf"
    overrides = job_run(Work("hot_spots"), MANIFEST, make(), None, conf=conf)["configurationOverrides"]
    properties = overrides["applicationConfiguration"][0]["properties"]
    assert properties["spark.driver.extraJavaOptions"] == "-Da='x y' -Db=1,2"


def test_a_chain_is_cut_where_it_says_then() -> None:
    works = parse(
        ["clean_ncrb", "--set", "max_bad_share=0.1", "--then-anyway", "reconcile", "--then", "hive:insight_by_region",
         "--hivevar", "year=2013"],
        make(), typed,
    )  # fmt: skip
    assert [(w.name, w.arguments, w.go_on) for w in works] == [
        ("clean_ncrb", ("--set", "max_bad_share=0.1"), True),
        ("reconcile", (), False),
        ("hive:40_insight_by_region", ("--hivevar", "year=2013"), False),
    ]


def test_setup_of_hive_is_a_chain_that_copies_the_landing_files_first() -> None:
    works = parse(["hive:setup"], make(), typed)
    assert works[0].name == "hive:stage"
    assert works[0].kind == "job"
    assert [w.name for w in works[1:3]] == ["hive:00_database", "hive:10_landing_tables"]
    assert {w.kind for w in works[1:]} == {"hive"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["clean_ncbr"], "clean_ncbr"),
        (["--then"], "name of a job is expected"),
        (["hot_spots", "--then"], "name of a job is expected"),
        (["hot_spots", "--set", "nothing=1"], "there is no option 'nothing'"),
        (["hot_spots", "--set", "novalue"], "not of the form name=value"),
        (["hot_spots", "--wrong", "1"], "No such option"),
        (["hot_spots", "surplus"], "surplus"),
        (["hive:insight_of_nothing"], "insight_of_nothing"),
        (["hive:insight_by_region", "--hivevar", "yaer=2013"], "there is no variable 'yaer'"),
        (["hot_spots", "two\nlines"], "line break"),
        (["hive:/etc/passwd"], "not a script by its name"),
    ],
)
def test_what_is_wrong_is_refused_before_anything_is_sent(words: list[str], said: str) -> None:
    with pytest.raises(WrongUsage, match=said.replace("(", r"\(")) as refused:
        parse(words, make(), typed)
    assert refused.value.exit_code == 2


def test_a_folder_of_this_machine_is_refused() -> None:
    with pytest.raises(WrongUsage, match="landing 'data' .* is a folder of this machine"):
        step(Work("hot_spots"), MANIFEST, make(landing="data"), None)


def test_what_a_job_takes_from_settings_goes_with_its_step() -> None:
    topic = "arn:aws:sns:us-east-1:000000000000:t"
    settings = make().model_copy(update={"topic": topic})

    def told(*words: str) -> set[str]:
        (work,) = parse(words, settings, typed)
        arguments = step(work, MANIFEST, settings, None)["HadoopJarStep"]["Args"]
        return {arguments[n + 1] for n, word in enumerate(arguments) if word == "--set"}

    assert told("export") == {"logs=s3://logs/emr", f"topic={topic}"}
    assert told("export", "--set", "logs=s3://other") == {"logs=s3://other", f"topic={topic}"}
    assert told("hot_spots") == set()
    settings = settings.model_copy(update={"ledger": "pune-crime-jobs-migrations", "table_prefix": "pune-"})
    assert {"ledger=pune-crime-jobs-migrations", "prefix=pune-"} <= told("export")
    # What is sent is taken there.
    assert parse(["export", "--set", "logs=s3://logs/emr"], settings, typed)


def test_a_hive_script_gets_its_variables_as_elements() -> None:
    words = ["hive:insight_by_region", "--hivevar", "crime_group=cruelty by husband, or 'relatives'"]
    work = parse(words, make(), typed)[0]
    request = step(work, MANIFEST, make(), None)
    arguments = request["HadoopJarStep"]["Args"]
    assert arguments[:5] == [
        "hive-script",
        "--run-hive-script",
        "--args",
        "-f",
        MANIFEST.hive["40_insight_by_region"],
    ]
    assert arguments[-1] == "crime_group=cruelty by husband, or 'relatives'"
    assert "lake=s3://lake/lake" in arguments
    assert "database=crime" in arguments
    accepted("emr", "AddJobFlowSteps", {"JobFlowId": "j-1", "Steps": [request]})
    with pytest.raises(WrongUsage, match="can't carry"):
        job_run(work, MANIFEST, make(), None)


def test_a_hive_script_is_told_the_database_of_its_environment() -> None:
    settings = make().model_copy(update={"sql": {"database": "pune_crime"}})
    (work,) = parse(["hive:insight_by_region"], settings, typed)
    assert "database=pune_crime" in step(work, MANIFEST, settings, None)["HadoopJarStep"]["Args"]
    run = job_run(work, MANIFEST, settings, None)
    assert "--hivevar database=pune_crime" in run["jobDriver"]["hive"]["parameters"]
    (work,) = parse(["hive:insight_by_region", "--hivevar", "database=mine"], settings, typed)
    assert "database=mine" in step(work, MANIFEST, settings, None)["HadoopJarStep"]["Args"]
    settings = make().model_copy(update={"sql": {"database": "x; DROP DATABASE crime"}})
    with pytest.raises(WrongUsage, match="can't be the name of a database"):
        step(work.__class__("hive:40_insight_by_region"), MANIFEST, settings, None)


def test_a_job_run_needs_a_role() -> None:
    settings = make().model_copy(update={"runtime_role": None})
    with pytest.raises(WrongUsage, match="which role"):
        job_run(Work("hot_spots"), MANIFEST, settings, None)


@pytest.mark.parametrize(
    ("name", "bare"),
    [
        (f"hot_spots {new_token()}", "hot_spots"),
        ("hot_spots d32c5kddcf5bb8c3", "hot_spots"),
        ("hive:40_insight_by_region d32c5kddcf5bb8c3-2", "hive:40_insight_by_region"),
        ("Load the statistics", "Load the statistics"),
        ("hot_spots", "hot_spots"),
    ],
    ids=["a new one", "a name", "a retry", "words", "none"],
)
def test_the_name_without_its_token(name: str, bare: str) -> None:
    assert bare_name(name) == bare
