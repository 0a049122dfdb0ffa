"""Faces in pictures: found, judged and turned into numbers, in processes of their own; knows no service."""

from __future__ import annotations
