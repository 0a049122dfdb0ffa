"""Glue's Data Catalog in memory: what Athena and its clients ask of it."""

from __future__ import annotations

from crime_engines.glue.service import Glue

__all__ = ["Glue"]
