"""CloudFormation templates of what the jobs need on AWS: see the docs on clusters and schedules."""
