"""EMR on EC2: clusters whose steps really run, on one machine that stands for all nodes."""

from __future__ import annotations

from crime_engines.emr.service import Emr

__all__ = ["Emr"]
