"""CloudFormation templates of what the jobs need on AWS; see docs/emr-clusters.md and docs/emr-schedules.md."""
