"""Rekognition on the premises: dlib finds and compares faces, collections are kept encrypted."""

from __future__ import annotations

from crime_engines.rekognition.service import Rekognition

__all__ = ["Rekognition"]
