"""DMS: replication tasks whose rows really move, by the project's own migration job over JDBC."""

from __future__ import annotations

from crime_engines.dms.service import Dms

__all__ = ["Dms"]
