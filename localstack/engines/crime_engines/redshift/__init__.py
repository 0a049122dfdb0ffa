"""Redshift's Data API on PostgreSQL: statements in Redshift's SQL, run while nobody waits."""

from __future__ import annotations

from crime_engines.redshift.service import RedshiftData

__all__ = ["RedshiftData"]
