"""CloudFormation's stacks, and what is in them."""

from __future__ import annotations

from collections.abc import Iterator

from crime_jobs.cloud import prices
from crime_jobs.cloud.kinds_base import Found, Kind, Phase, Place, items, tag_map


def _stacks(at: Place) -> Iterator[Found]:
    for one in items(at.client, "describe_stacks", "Stacks"):
        if one["StackStatus"] == "DELETE_COMPLETE":
            continue
        tags = tag_map(one.get("Tags"))
        told = {said["ParameterKey"]: said.get("ParameterValue", "") for said in one.get("Parameters", [])}
        yield Found(
            one["StackName"],
            one["StackId"],
            one["StackId"],
            one.get("CreationTime"),
            tags,
            one["StackStatus"].lower(),
            prices.free("what is in it costs"),
            protected=one.get("EnableTerminationProtection", False),
            going="is being deleted" if one["StackStatus"] == "DELETE_IN_PROGRESS" else "",
            more={
                "environment": told.get("Environment", ""),
                # What it is made with it is removed with: the role's stack goes after it.
                "takes": frozenset(
                    part
                    for value in [*told.values(), one.get("RoleARN", "")]
                    for part in [value, *value.split(",")]
                ),
                "gives": frozenset(out.get("OutputValue", "") for out in one.get("Outputs", [])),
            },
        )


#: What CloudFormation calls each kind that has an id there.
TYPES = {
    "schedule group": "AWS::Scheduler::ScheduleGroup",
    "event rule": "AWS::Events::Rule",
    "state machine": "AWS::StepFunctions::StateMachine",
    "flink application": "AWS::KinesisAnalyticsV2::Application",
    "function": "AWS::Lambda::Function",
    "delivery stream": "AWS::KinesisFirehose::DeliveryStream",
    "stream": "AWS::Kinesis::Stream",
    "topic": "AWS::SNS::Topic",
    "queue": "AWS::SQS::Queue",
    "cluster": "AWS::EMR::Cluster",
    "studio": "AWS::EMR::Studio",
    "emr security configuration": "AWS::EMR::SecurityConfiguration",
    "serverless application": "AWS::EMRServerless::Application",
    "dms task": "AWS::DMS::ReplicationTask",
    "dms endpoint": "AWS::DMS::Endpoint",
    "dms instance": "AWS::DMS::ReplicationInstance",
    "dms subnet group": "AWS::DMS::ReplicationSubnetGroup",
    "quicksight dashboard": "AWS::QuickSight::Dashboard",
    "quicksight analysis": "AWS::QuickSight::Analysis",
    "quicksight theme": "AWS::QuickSight::Theme",
    "quicksight data set": "AWS::QuickSight::DataSet",
    "quicksight data source": "AWS::QuickSight::DataSource",
    "face collection": "AWS::Rekognition::Collection",
    "bucket": "AWS::S3::Bucket",
    "table": "AWS::DynamoDB::Table",
    "database": "AWS::RDS::DBInstance",
    "database subnet group": "AWS::RDS::DBSubnetGroup",
    "database option group": "AWS::RDS::OptionGroup",
    "redshift workgroup": "AWS::RedshiftServerless::Workgroup",
    "redshift namespace": "AWS::RedshiftServerless::Namespace",
    "athena workgroup": "AWS::Athena::WorkGroup",
    "glue database": "AWS::Glue::Database",
    "machine": "AWS::EC2::Instance",
    "NAT gateway": "AWS::EC2::NatGateway",
    "VPC endpoint": "AWS::EC2::VPCEndpoint",
    "volume": "AWS::EC2::Volume",
    "Elastic IP": "AWS::EC2::EIP",
    "network interface": "AWS::EC2::NetworkInterface",
    "security group": "AWS::EC2::SecurityGroup",
    "subnet": "AWS::EC2::Subnet",
    "route table": "AWS::EC2::RouteTable",
    "internet gateway": "AWS::EC2::InternetGateway",
    "VPC": "AWS::EC2::VPC",
    "instance profile": "AWS::IAM::InstanceProfile",
    "role": "AWS::IAM::Role",
    "policy": "AWS::IAM::ManagedPolicy",
    "secret": "AWS::SecretsManager::Secret",
    "alarm": "AWS::CloudWatch::Alarm",
    "monitoring dashboard": "AWS::CloudWatch::Dashboard",
    "budget": "AWS::Budgets::Budget",
    "trail": "AWS::CloudTrail::Trail",
    "key": "AWS::KMS::Key",
    "log group": "AWS::Logs::LogGroup",
}


def resources(at: Place, stack: Found) -> Iterator[tuple[str, str]]:
    """List what a stack holds.

    Parameters
    ----------
    at
        Where CloudFormation is asked.
    stack
        The stack.

    Yields
    ------
    tuple of str
        Type and physical id.
    """
    for one in items(at.client, "list_stack_resources", "StackResourceSummaries", StackName=stack.id):
        physical = one.get("PhysicalResourceId", "")
        if physical and physical != "unknown" and one["ResourceStatus"] != "DELETE_COMPLETE":
            yield one["ResourceType"], physical


KINDS = (
    Kind(
        "stack",
        "cloudformation",
        _stacks,
        Phase.STACKS,
        # Deleted in the order of imports, and watched: `crime_jobs.cloud.destroy_stacks`.
        lift=lambda at, it: at.client.update_termination_protection(
            StackName=it.id, EnableTerminationProtection=False
        ),
    ),
)
