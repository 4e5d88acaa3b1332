"""Settings: one frozen dataclass a program, read from a TOML file and `CROSSLIGHT_*` variables, unknown ones refused.

Knows no setting; every field says for itself what it is for.
"""

import dataclasses
import tomllib
import types
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from runtime.exits import ExitCode, UserError

Settings = TypeVar("Settings")

PREFIX = "CROSSLIGHT_"
# Variables that mean the same to every program and are no program's setting.
SHARED_VARIABLES = frozenset({"PASSPHRASE", "TRACEBACK"})


def setting(help: str, *, default: Any = dataclasses.MISSING, secret: bool = False) -> Any:
    """Declare a field of a settings dataclass. `secret` keeps its value out of repr."""
    return dataclasses.field(default=default, repr=not secret, metadata={"help": help})


@dataclasses.dataclass(frozen=True)
class Description:
    """One setting, for the documentation and the test that holds it complete."""

    name: str
    variable: str
    type: str
    default: str | None
    help: str


def describe(cls: type[Any], prefix: str = PREFIX) -> list[Description]:
    """Return all settings of a program. Raises ValueError for one without a help text."""
    hints = get_type_hints(cls)
    found = []
    for field in dataclasses.fields(cls):
        help = field.metadata.get("help", "")
        if not help:
            raise ValueError(f"setting {field.name} of {cls.__name__} has no help text")
        default = None if field.default is dataclasses.MISSING else _shown(field.default)
        found.append(Description(field.name, prefix + field.name.upper(), _type_name(hints[field.name]), default, help))
    return found


def load_settings(
    cls: type[Settings],
    path: Path | None,
    environ: Mapping[str, str],
    prefix: str = PREFIX,
    *,
    other_tables: Collection[str] = (),
) -> Settings:
    """Return a program's settings from the TOML file at `path` (or none) and the variables, which win.

    Relative paths count from the file's folder. `other_tables` names tables in the file that another reader reads.
    Raises UserError (exit code 4) naming the setting for anything unknown, missing or of the wrong type.
    """
    hints = get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    given = {} if path is None else {n: v for n, v in _read_toml(path).items() if n not in other_tables}
    folder = Path.cwd() if path is None else path.resolve().parent
    where = f"the settings file {path}" if path is not None else "the settings"
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name not in fields:
            raise _refused(f"{where} has an unknown setting {name!r}; known are {', '.join(sorted(fields))}")
        values[name] = _from_toml(value, hints[name], folder, f"the setting {name} in {where}")
    for variable, text in environ.items():
        name = variable.removeprefix(prefix)
        if not variable.startswith(prefix) or name in SHARED_VARIABLES:
            continue
        if name.lower() not in fields or name != name.upper():
            raise _refused(f"the variable {variable} is no setting of this program; unset it or correct its name")
        values[name.lower()] = _from_text(text, hints[name.lower()], folder, f"the variable {variable}")
    missing = [n for n, f in fields.items() if n not in values and _has_no_default(f)]
    if missing:
        raise _refused(f"{where} lacks {', '.join(missing)} (or set {prefix}{missing[0].upper()})")
    return cls(**values)


def _has_no_default(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise _refused(f"the settings file {path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        # The parser says line and column, and quotes at most a character.
        raise _refused(f"the settings file {path} is not TOML: {error}") from None


def _alternatives(hint: Any) -> list[Any]:
    return list(get_args(hint)) if get_origin(hint) in (Union, types.UnionType) else [hint]


def _from_toml(value: Any, hint: Any, folder: Path, where: str) -> Any:
    for kind in _alternatives(hint):
        if get_origin(kind) is tuple and isinstance(value, list):
            return tuple(_from_toml(item, get_args(kind)[0], folder, where) for item in value)
        if kind is Path and isinstance(value, str):
            return folder / Path(value).expanduser()
        if kind is float and type(value) is int:
            return float(value)
        if kind in (str, int, float, bool) and type(value) is kind:
            return value
        if (get_origin(kind) or kind) in (dict, Mapping) and isinstance(value, dict):
            return value
    raise _refused(f"{where} must be {_type_name(hint)}, not {type(value).__name__}")


def _from_text(text: str, hint: Any, folder: Path, where: str) -> Any:
    for kind in _alternatives(hint):
        if get_origin(kind) is tuple:
            parts = [part.strip() for part in text.split(",") if part.strip()]
            return tuple(_from_text(part, get_args(kind)[0], folder, where) for part in parts)
        if kind is Path:
            return folder / Path(text).expanduser()
        if kind is str:
            return text
        if kind is bool and text.lower() in ("true", "false", "1", "0"):
            return text.lower() in ("true", "1")
        if kind in (int, float):
            try:
                return kind(text)
            except ValueError:
                continue
    raise _refused(f"{where} must be {_type_name(hint)}")


def _type_name(hint: Any) -> str:
    names = {str: "text", int: "a whole number", float: "a number", bool: "true or false", Path: "a path"}
    parts = []
    for kind in _alternatives(hint):
        if get_origin(kind) is tuple:
            parts.append(f"a list of {_type_name(get_args(kind)[0])}")
        elif kind is not type(None):
            parts.append(names.get(kind, "a table"))
    return " or ".join(parts)


def _shown(default: Any) -> str:
    return "" if default is None else str(default)


def _refused(message: str) -> UserError:
    return UserError(message[0].upper() + message[1:] + ".", ExitCode.DOCUMENTS_REFUSED)
