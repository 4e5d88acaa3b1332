"""The form of a mapping's TOML as marshmallow schemas: which keys there are, of what type, and what goes with what.

Knows form only; what a kind's parts are is checked where they are read (mapping_file.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate, validates_schema

from clients.identifiers.registry import KIND_NAMES
from clients.institution.source import SQL, TYPES

_TEXT = validate.Length(min=1, max=4096, error="must not be empty")


class _Strict(Schema):
    class Meta:
        """marshmallow's settings."""

        unknown = RAISE


def _text(**settings: Any) -> fields.String:
    return fields.String(validate=_TEXT, **settings)


def _one_of(*choices: str) -> fields.String:
    return fields.String(validate=validate.OneOf(choices, error=f"must be one of: {', '.join(choices)}"))


class SourceSchema(_Strict):
    """[source]."""

    type = _one_of(*TYPES)
    path = _text()
    delimiter = fields.String(validate=validate.Length(equal=1, error="must be one character"))
    encoding = _text()
    url = _text()
    url_variable = _text()
    query = _text()

    @validates_schema(skip_on_field_errors=True)
    def _fits(self, data: dict[str, Any], **_: Any) -> None:
        is_sql = data.get("type") == SQL or "url" in data or "url_variable" in data
        if is_sql:
            if ("url" in data) == ("url_variable" in data):
                raise ValidationError("needs either url or url_variable for a database")
            if "query" not in data:
                raise ValidationError("is missing", "query")
            if data.get("type", SQL) != SQL:
                raise ValidationError("must be sql where there is a url", "type")
            for key in ("path", "delimiter", "encoding"):
                if key in data:
                    raise ValidationError("does not go with a database", key)
        elif "path" not in data:
            raise ValidationError("is missing (or url and query for a database)", "path")
        elif "query" in data:
            raise ValidationError("does not go with a file", "query")


class RowSchema(_Strict):
    """[row]."""

    id = _text(required=True)


class DefaultsSchema(_Strict):
    """[defaults]."""

    region = _text()
    country = _text()
    dates = _one_of("day-first", "month-first")


class _KindColumns(fields.Field[Any]):
    """A column, a table of parts, or a list of either."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        items = value if isinstance(value, list) else [value]
        if not items:
            raise ValidationError("must name at least one column")
        for item in items:
            if isinstance(item, dict) and item:
                for part, where in item.items():
                    _check_part(part, where)
            elif not (isinstance(item, str) and item):
                raise ValidationError("must be a column, a table of parts, or a list of these")
        return value


def _check_part(part: str, where: Any) -> None:
    if isinstance(where, str) and where:
        return
    if isinstance(where, dict) and list(where) == ["value"] and isinstance(where["value"], str) and where["value"]:
        return
    raise ValidationError({part: ['must be a column, or { value = "..." } for the same in every row']})


class ConditionSchema(_Strict):
    """A column and the values that count."""

    column = _text(required=True)
    any = fields.List(fields.String(), required=True, validate=validate.Length(min=1, error="must not be empty"))


class FilterSchema(_Strict):
    """[filter]."""

    column = _text()
    any = fields.List(fields.String(), validate=validate.Length(min=1, error="must not be empty"))
    all_rows = fields.Boolean(truthy={True}, falsy={False})

    @validates_schema(skip_on_field_errors=True)
    def _fits(self, data: dict[str, Any], **_: Any) -> None:
        if ("column" in data) != ("any" in data):
            raise ValidationError("needs both column and any")
        if ("column" in data) == data.get("all_rows", False):
            raise ValidationError("must have either column and any (which rows may be sent) or all_rows = true")


class IndicatorsSchema(_Strict):
    """[indicators]."""

    columns = fields.List(_text(), load_default=list)
    separator = fields.String(load_default=";", validate=_TEXT)
    rename = fields.Dict(fields.String(), _text(), load_default=dict)
    flags = fields.Dict(fields.String(), fields.Nested(ConditionSchema), load_default=dict)


class PlaceholdersSchema(_Strict):
    """[placeholders]."""

    add = fields.Dict(fields.String(), fields.List(_text()), load_default=dict)
    keep = fields.List(_text(), load_default=list)


class MappingSchema(_Strict):
    """The whole file."""

    source = fields.Nested(SourceSchema, required=True)
    row = fields.Nested(RowSchema, required=True)
    defaults = fields.Nested(DefaultsSchema, load_default=dict)
    columns = fields.Dict(
        fields.String(validate=validate.OneOf(KIND_NAMES, error=f"is no kind; kinds are {', '.join(KIND_NAMES)}")),
        _KindColumns(),
        required=True,
        validate=validate.Length(min=1, error="must map at least one kind"),
    )
    payload = fields.Dict(fields.String(), _text(), load_default=dict)
    indicators = fields.Nested(IndicatorsSchema, load_default=lambda: IndicatorsSchema().load({}))
    filter = fields.Nested(FilterSchema, required=True)
    placeholders = fields.Nested(PlaceholdersSchema, load_default=lambda: PlaceholdersSchema().load({}))
