"""Clusters: what is asked for is what EMR takes; what is wrong is said before anything is asked."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st

from crime_jobs.emr import cluster
from crime_jobs.errors import WrongUsage
from crime_jobs.settings import Settings

KEY = "arn:aws:kms:ap-south-1:111122223333:key/1"


def settings(table: dict[str, Any] | None = None, **more: Any) -> Settings:
    values = {
        "env": "pune",
        "region": "ap-south-1",
        "landing": "s3://pune-landing/in",
        "lake": "s3://pune-lake/lake",
        "spark_conf": None,
        "artifacts": "s3://pune-artifacts/jobs",
        "logs": "s3://pune-logs/emr/",
        "cluster": table or {},
        "sources": {},
        "environ": {},
    }
    return Settings.model_validate({**values, **more})


def check(request: dict[str, Any]) -> None:
    model = botocore.session.get_session().get_service_model("emr")
    report = ParamValidator().validate(request, model.operation_model("RunJobFlow").input_shape)
    assert not report.has_errors(), report.generate_report()


specs = st.builds(
    lambda minimum, more, **kwargs: cluster.ClusterSpec(minimum=minimum, maximum=minimum + more, **kwargs),
    minimum=st.integers(1, 50),
    more=st.integers(0, 50),
    spot=st.booleans(),
    idle_minutes=st.integers(1, 7 * 24 * 60),
    concurrency=st.integers(1, 256),
    disk_gb=st.integers(10, 1000),
    subnet=st.sampled_from([None, "subnet-1"]),
    service_group=st.sampled_from([None, "sg-1"]),
    security_configuration=st.sampled_from([None, "crime-jobs-pune"]),
    log_key=st.sampled_from([None, KEY]),
    protected=st.booleans(),
    tags=st.dictionaries(st.text(min_size=1, max_size=9), st.text(max_size=9), max_size=3),
)


@given(spec=specs, transient=st.booleans())
def test_every_request_is_one_that_emr_takes(spec: cluster.ClusterSpec, transient: bool) -> None:
    request = cluster.request(settings(), spec, transient=transient)
    check(request)
    limits = request["ManagedScalingPolicy"]["ComputeLimits"]
    core = request["Instances"]["InstanceGroups"][1]
    assert limits["MinimumCapacityUnits"] <= core["InstanceCount"] <= limits["MaximumCapacityUnits"]
    assert request["Instances"]["KeepJobFlowAliveWhenNoSteps"] is not transient
    # Whatever else: it ends by itself some time, and one that is to end can be ended.
    assert 60 <= request["AutoTerminationPolicy"]["IdleTimeout"] <= 604800
    assert not (transient and request["Instances"]["TerminationProtected"])


def test_by_default_it_is_as_small_and_as_closed_as_it_can_be() -> None:
    request = cluster.request(settings(), cluster.spec_of(settings()))
    groups = request["Instances"]["InstanceGroups"]
    assert [(g["InstanceRole"], g["InstanceCount"], g["Market"]) for g in groups] == [
        ("MASTER", 1, "ON_DEMAND"),
        ("CORE", 1, "ON_DEMAND"),
    ]
    assert request["ReleaseLabel"] == "emr-7.13.0"
    assert {a["Name"] for a in request["Applications"]} == {"Spark", "Hive", "Hue", "Livy"}
    assert request["LogUri"] == "s3://pune-logs/emr/"
    assert request["AutoTerminationPolicy"] == {"IdleTimeout": 3600}
    assert "Ec2KeyName" not in request["Instances"]
    assert "Steps" not in request
    tags = {tag["Key"]: tag["Value"] for tag in request["Tags"]}
    assert tags["environment"] == "pune"
    assert tags["for-use-with-amazon-emr-managed-policies"] == "true"
    python, hue = (action["ScriptBootstrapAction"] for action in request["BootstrapActions"])
    (documents,) = hue["Args"]
    for uri in (python["Path"], hue["Path"], documents):
        assert uri.startswith("s3://pune-artifacts/jobs/bootstrap/")


@pytest.mark.parametrize(
    ("spec", "transient"),
    [(cluster.ClusterSpec(applications=("Spark",)), False), (cluster.ClusterSpec(), True)],
)
def test_a_cluster_that_nobody_looks_into_by_hue_is_given_no_documents(
    spec: cluster.ClusterSpec, transient: bool
) -> None:
    (action,) = cluster.request(settings(), spec, transient=transient)["BootstrapActions"]
    assert action["Name"] == "Python"


def test_spot_is_for_core_nodes_only() -> None:
    request = cluster.request(settings(), cluster.ClusterSpec(spot=True, maximum=8))
    assert [g["Market"] for g in request["Instances"]["InstanceGroups"]] == ["ON_DEMAND", "SPOT"]
    limits = request["ManagedScalingPolicy"]["ComputeLimits"]
    assert (limits["MaximumCapacityUnits"], limits["MaximumOnDemandCapacityUnits"]) == (8, 0)


def test_steps_of_a_transient_cluster_have_the_runtime_role_where_the_cluster_knows_roles() -> None:
    steps = [{"Name": "a", "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["true"]}}]
    role = "arn:aws:iam::111122223333:role/crime-jobs-runtime"
    with_role = settings(runtime_role=role)
    secured = cluster.ClusterSpec(security_configuration="crime-jobs-pune")
    sent = cluster.request(with_role, secured, steps, transient=True)
    check(sent)
    assert sent["StepExecutionRoleArn"] == role
    assert sent["Steps"] == steps
    # EMR refuses a role on a cluster without that configuration.
    assert "StepExecutionRoleArn" not in cluster.request(with_role, cluster.ClusterSpec(), steps)
    assert "StepExecutionRoleArn" not in cluster.request(with_role, secured)


def test_options_come_before_the_table() -> None:
    found = cluster.spec_of(settings({"maximum": 3, "spot": True}), maximum=9, spot=None, name=None)
    assert (found.maximum, found.spot, found.name) == (9, True, "crime-jobs")


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"maximun": 3}, "cluster.maximun"),
        ({"minimum": 5, "maximum": 2}, "minimum 5 is above maximum 2"),
        ({"core_type": "m7g.xlarge"}, "different architectures"),
        ({"release": "emr-6.15.0"}, "release"),
        ({"idle_minutes": 0}, "idle_minutes"),
        ({"name": "a/b"}, "name"),
        ({"subnet": "vpc-1"}, "subnet"),
        ({"log_key": KEY.replace("ap-south-1", "us-east-1")}, "us-east-1.*ap-south-1"),
    ],
)
def test_a_wrong_table_is_refused_naming_the_key(table: dict[str, Any], told: str) -> None:
    with pytest.raises(WrongUsage, match=told):
        cluster.spec_of(settings(table))


@pytest.mark.parametrize(("missing", "told"), [("logs", "logs"), ("artifacts", "bootstrap")])
def test_what_is_not_set_is_said(missing: str, told: str) -> None:
    with pytest.raises(WrongUsage, match=told):
        cluster.request(settings(**{missing: None}), cluster.ClusterSpec())


@pytest.mark.parametrize(
    ("instance_type", "expected"),
    [
        ("m5.xlarge", "x86_64"),
        ("m7i-flex.large", "x86_64"),
        ("g4dn.xlarge", "x86_64"),
        ("x2idn.16xlarge", "x86_64"),
        ("m6g.xlarge", "arm64"),
        ("c7gn.large", "arm64"),
        ("r8gd.large", "arm64"),
        ("im4gn.large", "arm64"),
        ("is4gen.large", "arm64"),
        ("g5g.xlarge", "arm64"),
        ("a1.large", "arm64"),
    ],
)
def test_the_package_fits_the_processor(instance_type: str, expected: str) -> None:
    assert cluster.architecture(instance_type) == expected
