"""What a service model says of values beyond what botocore's own validator looks at.

botocore checks required members, types, lower bounds and unknown members. The service checks enumerations,
upper bounds and patterns too, and so do we, in its words.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.validate import ParamValidator

from crime_engines.protocol.refusal import invalid

#: Characters beyond the basic plane as Java writes them, and as Python does.
_PAIRS = re.compile(r"\\uD800\\uDC00-\\uDBFF\\uDFFF|\\uD800\\uDBFF-\\uDC00\\uDFFF")

#: At most so many errors in one answer.
_SHOWN = 10


def check_input(params: dict[str, Any], shape: StructureShape | None) -> None:
    """Refuse a request that the service would refuse by its model.

    Parameters
    ----------
    params
        The request.
    shape
        The operation's input; ``None`` takes nothing.

    Raises
    ------
    Refusal
        ``ValidationException``, naming each value.
    """
    if shape is None:
        return
    report = ParamValidator().validate(params, shape)
    if report.has_errors():
        raise invalid(_several(report.generate_report().splitlines()))
    if errors := list(_violations(params, shape, "")):
        raise invalid(_several(errors))


def check_output(answer: dict[str, Any], shape: StructureShape | None) -> None:
    """Raise if an answer is not what the model says: a defect of the engine.

    Parameters
    ----------
    answer
        What a service returned.
    shape
        The operation's output.

    Raises
    ------
    TypeError
        Naming each member.
    """
    if shape is None:
        if answer:
            raise TypeError(f"an answer where the model has none: {sorted(answer)}")
        return
    report = ParamValidator().validate(answer, shape)
    errors = [report.generate_report()] if report.has_errors() else list(_violations(answer, shape, ""))
    if errors:
        raise TypeError("; ".join(errors))


def _several(errors: list[str]) -> str:
    """Word it as AWS does: how many, then each."""
    count = f"{len(errors)} validation error{'s' if len(errors) > 1 else ''} detected"
    return f"{count}: {'; '.join(errors[:_SHOWN])}"


def _violations(value: Any, shape: Shape, path: str) -> Iterator[str]:
    if isinstance(shape, StructureShape):
        if not shape.is_document_type:
            for name, item in value.items():
                yield from _violations(item, shape.members[name], f"{path}.{_lower(name)}".lstrip("."))
        return
    if isinstance(shape, ListShape):
        yield from _length(value, shape, path)
        for number, item in enumerate(value, 1):
            yield from _violations(item, shape.member, f"{path}.{number}.member")
        return
    if isinstance(shape, MapShape):
        for key, item in value.items():
            yield from _violations(key, shape.key, f"{path}.{key}.key")
            yield from _violations(item, shape.value, f"{path}.{key}.member")
        return
    if isinstance(value, str):
        yield from _text(value, shape, path)
    elif isinstance(value, int | float) and (most := shape.metadata.get("max")) is not None and value > most:
        yield _wrong(value, path, f"Member must have value less than or equal to {most}")


def _text(value: str, shape: Shape, path: str) -> Iterator[str]:
    if (known := getattr(shape, "enum", None)) and value not in known:
        yield _wrong(value, path, f"Member must satisfy enum value set: [{', '.join(known)}]")
    yield from _length(value, shape, path)
    if (pattern := _pattern(shape.metadata.get("pattern", ""))) and not pattern.fullmatch(value):
        yield _wrong(
            value, path, f"Member must satisfy regular expression pattern: {shape.metadata['pattern']}"
        )


def _length(value: Any, shape: Shape, path: str) -> Iterator[str]:
    most = shape.metadata.get("max")
    if most is not None and len(value) > most:
        yield _wrong(value, path, f"Member must have length less than or equal to {most}")


def _wrong(value: Any, path: str, constraint: str) -> str:
    return f"Value '{str(value)[:200]}' at '{path}' failed to satisfy constraint: {constraint}"


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:]


@functools.cache
def _pattern(text: str) -> re.Pattern[str] | None:
    """Compile a pattern of the model; the few that are Java's alone are not checked."""
    if not text:
        return None
    try:
        return re.compile(_PAIRS.sub(r"\\U00010000-\\U0010FFFF", text), re.DOTALL)
    except re.error:
        return None
