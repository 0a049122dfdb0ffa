"""A small server that answers for AWS services which LocalStack's free edition lacks, with real engines.

``python -m crime_engines`` is started by ``make up``, on 127.0.0.1. It speaks the services' own protocols, as
botocore's service models describe them, and does the work: an EMR step is a ``spark-submit`` in a process of
its own. One package a service; what they share is the protocol, the node that processes run on, and Spark.
"""
