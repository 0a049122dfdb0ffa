"""Start, watch and stop the servers that stand in for AWS on this machine, without Docker.

``python -m crime_harness up`` fetches LocalStack and what it needs, starts it on 127.0.0.1, makes
the buckets and writes ``build/up.env`` with every address. ``down`` stops all of it, ``status``
says how it is.
"""
