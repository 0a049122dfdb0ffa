"""What the data is: schemas and vocabularies. Nothing here reads or writes but its own package files."""

from __future__ import annotations
