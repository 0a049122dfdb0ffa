"""CloudFormation, for the rooms that have stacks: a stack as it is, a change of it, and how that ended."""
