"""Spark jobs for crime statistics: the same code on a laptop, on LocalStack and on EMR."""

from __future__ import annotations

__version__ = "0.1.0"
