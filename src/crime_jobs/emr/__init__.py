"""EMR: package, submit, watch, cancel and schedule, on EMR on EC2 and EMR Serverless."""
