"""EMR Serverless: applications whose job runs really run, on this machine."""

from __future__ import annotations

from crime_engines.serverless.service import EmrServerless

__all__ = ["EmrServerless"]
