"""The rules of a table-mapping document as DMS writes them, and what is refused of them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator
from pydantic_core import PydanticCustomError


class BadMapping(ValueError):  # noqa: N818 - reads as what it is
    """A mapping that can't be used; the message names the rule."""


class Rule(BaseModel):
    """What all parts of a rule share: DMS's spelling, and nothing that is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=lambda n: n.replace("_", "-"))


class Locator(Rule):
    """Which tables a rule is about; ``%`` stands for any text."""

    schema_name: str
    table_name: str


class AttributeRule(Rule):
    """An attribute that is made from columns."""

    target_attribute_name: str
    attribute_type: Literal["scalar"]
    attribute_sub_type: Literal["string", "number"] = "string"
    value: str


class Parameters(Rule):
    """How a row becomes an item."""

    partition_key_name: str
    sort_key_name: str | None = None
    exclude_columns: tuple[str, ...] = ()
    attribute_mappings: tuple[AttributeRule, ...] = ()


class Load(Rule):
    """How a table is read in parts."""

    type: Literal["ranges", "none"]
    columns: tuple[str, ...] = ()
    boundaries: tuple[tuple[str, ...], ...] = ()


class Selection(Rule):
    """Which tables move."""

    rule_type: Literal["selection"]
    rule_id: str
    rule_name: str
    object_locator: Locator
    rule_action: Literal["include", "exclude", "explicit"]
    filters: tuple[Any, ...] = ()

    @field_validator("filters")
    @classmethod
    def _none(cls, given: tuple[Any, ...]) -> tuple[Any, ...]:
        if given:
            raise PydanticCustomError("not_done", "filters are not done here: all rows of a table move")
        return given


class ObjectMapping(Rule):
    """Where the rows of a table go."""

    rule_type: Literal["object-mapping"]
    rule_id: str
    rule_name: str
    object_locator: Locator
    rule_action: Literal["map-record-to-record"]
    target_table_name: str
    mapping_parameters: Parameters


class TableSettings(Rule):
    """How a table is read."""

    rule_type: Literal["table-settings"]
    rule_id: str
    rule_name: str
    object_locator: Locator
    parallel_load: Load


_KINDS: dict[str, type[Selection | ObjectMapping | TableSettings]] = {
    "selection": Selection,
    "object-mapping": ObjectMapping,
    "table-settings": TableSettings,
}


def read_rule(rule: Any) -> Selection | ObjectMapping | TableSettings:
    """Read a rule.

    Parameters
    ----------
    rule
        As JSON has it.

    Returns
    -------
    Selection or ObjectMapping or TableSettings

    Raises
    ------
    BadMapping
        If it is none, or asks for something that is not done here; the message names it.
    """
    number = rule.get("rule-id", "without an id") if isinstance(rule, dict) else "?"
    kind = _KINDS.get(str(rule.get("rule-type"))) if isinstance(rule, dict) else None
    if kind is None:
        known = ", ".join(_KINDS)
        said = rule.get("rule-type") if isinstance(rule, dict) else rule
        raise BadMapping(f"rule {number}: rule-type {said!r} is not done here, only {known}")
    try:
        return kind.model_validate(rule)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadMapping(f"rule {number}: {where}: {first['msg']}") from error
