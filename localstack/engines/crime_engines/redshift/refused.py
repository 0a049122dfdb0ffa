"""A statement that is not run."""

from __future__ import annotations


class Unsupported(Exception):  # noqa: N818 - reads as what it is
    """What a statement asks for is not to be had; the message is the statement's error."""
