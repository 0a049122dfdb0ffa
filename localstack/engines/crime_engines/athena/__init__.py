"""Athena on DuckDB: statements in Athena's SQL over the objects in S3, run while nobody waits."""

from __future__ import annotations

from crime_engines.athena.service import Athena

__all__ = ["Athena"]
