"""Reads a mapping from TOML, strictly: every unknown key and every wrong value is refused with its line and key.

Knows the file's form (mapping_schema.py) and the kinds' parts. Paths in it count from the file's folder.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from marshmallow import ValidationError

from clients.identifiers.countries import country_code
from clients.identifiers.kind import Hints
from clients.identifiers.placeholders import Placeholders, shipped
from clients.identifiers.registry import KIND_NAMES, kind_of
from clients.institution.flags import Condition, Indicators, RowFilter
from clients.institution.mapping import IdentifierColumns, RowMapping
from clients.institution.mapping_schema import MappingSchema
from clients.institution.source import SQL, SourceSettings, type_by_name
from clients.institution.toml_lines import line_of
from runtime.exits import ExitCode, UserError


class WrongMapping(Exception):
    """What is wrong with the value at `keys` (from the top), as the end of a sentence."""

    def __init__(self, keys: tuple[str, ...], what: str) -> None:
        super().__init__(what)
        self.keys = keys
        self.what = what


def load_mapping(path: Path, environ: Mapping[str, str] | None = None) -> RowMapping:
    """The mapping in the TOML file at `path`. Raises UserError (exit code 4) naming line and key."""
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        raise _refused(f"There is no mapping {path}: make one with `crosslight institution init`.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise _refused(f"The mapping {path} cannot be read: {error}.") from None
    return parse_mapping(text, path, os.environ if environ is None else environ)


def parse_mapping(text: str, path: Path, environ: Mapping[str, str]) -> RowMapping:
    """The mapping in `text`; `path` is named in messages, and relative paths count from its folder."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _refused(f"{path.name} is not TOML: {error}.") from None
    try:
        return _build(_validated(_with_dotted_kinds(data)), path, environ)
    except WrongMapping as wrong:
        line = line_of(text, wrong.keys)
        where = f", line {line}" if line else ""
        raise _refused(f"{path.name}{where}: {'.'.join(wrong.keys)} {wrong.what}.") from None


def _with_dotted_kinds(data: dict[str, Any]) -> dict[str, Any]:
    """TOML reads person.name-birthdate without quotes as a table in a table; make one key of it again."""
    columns = data.get("columns")
    if not isinstance(columns, dict):
        return data
    flat: dict[str, Any] = {}
    for key, value in columns.items():
        inner = value if isinstance(value, dict) else {}
        dotted = {name: part for name, part in inner.items() if f"{key}.{name}" in KIND_NAMES}
        if dotted and len(dotted) == len(inner):
            flat.update({f"{key}.{name}": part for name, part in dotted.items()})
        else:
            flat[key] = value
    return {**data, "columns": flat}


def _validated(data: dict[str, Any]) -> dict[str, Any]:
    try:
        loaded: dict[str, Any] = MappingSchema().load(data)
    except ValidationError as error:
        raise WrongMapping(*_first_message(error.messages)) from None
    return loaded


def _first_message(messages: Any) -> tuple[tuple[str, ...], str]:
    """The keys down to the first of marshmallow's messages, and the message as the end of a sentence."""
    keys: list[str] = []
    while isinstance(messages, Mapping):
        key, messages = next(iter(messages.items()))
        if key not in ("_schema", "key", "value"):
            keys.append(str(key))
    message = str(messages[0])
    return tuple(keys), {
        "Missing data for required field.": "is missing",
        "Unknown field.": "is not known here",
        "Not a valid string.": "must be text in quotes",
        "Not a valid list.": "must be a list in brackets",
        "Not a valid mapping type.": "must be a table",
        "Invalid input type.": "must be a table",
        "Not a valid boolean.": "must be true or false",
    }.get(message, message.rstrip("."))


def _build(data: dict[str, Any], path: Path, environ: Mapping[str, str]) -> RowMapping:
    filtered = data["filter"]
    return RowMapping(
        path=path,
        source=_source(data["source"], path.resolve().parent, environ),
        row_id=data["row"]["id"],
        hints=_hints(data["defaults"]),
        identifiers=tuple(
            _identifier(kind, given) for kind, all_given in data["columns"].items() for given in _listed(all_given)
        ),
        payload=data["payload"],
        indicators=_indicators(data["indicators"]),
        filter=RowFilter(None if "column" not in filtered else Condition(filtered["column"], tuple(filtered["any"]))),
        placeholders=_placeholders(data["placeholders"]),
    )


def _source(data: dict[str, Any], folder: Path, environ: Mapping[str, str]) -> SourceSettings:
    url = data.get("url")
    if "url_variable" in data:
        url = environ.get(data["url_variable"])
        if not url:
            raise WrongMapping(("source", "url_variable"), f"names {data['url_variable']}, which is not set")
    if url is not None:
        return SourceSettings(SQL, url=url, query=data["query"])
    path = folder / Path(data["path"]).expanduser()
    kind = data.get("type") or type_by_name(path)
    if kind is None:
        raise WrongMapping(("source", "path"), 'does not tell by its name what it is: add type = "csv" or "parquet"')
    return SourceSettings(kind, path, delimiter=data.get("delimiter"), encoding=data.get("encoding"))


def _hints(data: dict[str, Any]) -> Hints:
    for key in ("region", "country"):
        given = data.get(key)
        if given is not None and (len(given) != 2 or country_code(given) != given):
            raise WrongMapping(("defaults", key), "must be a country's two-letter code in capitals, e.g. GB")
    return Hints(data.get("region"), data.get("country"), data.get("dates"))


def _listed(given: Any) -> list[Any]:
    return given if isinstance(given, list) else [given]


def _identifier(kind: str, given: Any) -> IdentifierColumns:
    known, keys = kind_of(kind), ("columns", kind)
    if isinstance(given, str):
        if known.lone_part is None:
            parts = ", ".join(part.name for part in known.parts)
            raise WrongMapping(keys, f"needs its parts named, of which there are {parts}")
        given = {known.lone_part: given}
    columns, constants = {}, {}
    for part, where in given.items():
        if part not in known.by_name:
            parts = ", ".join(known.by_name)
            raise WrongMapping((*keys, part), f"is no part of {kind}, which has {parts}")
        if isinstance(where, str):
            columns[part] = where
        elif known.by_name[part].context:
            constants[part] = where["value"]
        else:
            raise WrongMapping((*keys, part), "must be a column: every row would have the same")
    if not any(all(part in columns for part in form) for form in known.forms):
        forms = " or ".join(" + ".join(form) for form in known.forms)
        raise WrongMapping(keys, f"needs {forms}")
    return IdentifierColumns(kind, columns, constants)


def _indicators(data: dict[str, Any]) -> Indicators:
    flags = {code: Condition(given["column"], tuple(given["any"])) for code, given in data["flags"].items()}
    return Indicators(tuple(data["columns"]), data["separator"], data["rename"], flags)


def _placeholders(data: dict[str, Any]) -> Placeholders:
    for name in data["add"]:
        if name not in ("any", "dates", *KIND_NAMES):
            raise WrongMapping(("placeholders", "add", name), "is no kind; use a kind, any or dates")
    return shipped().extended(data["add"], data["keep"])


def _refused(message: str) -> UserError:
    return UserError(message, ExitCode.DOCUMENTS_REFUSED)
