"""A folder of CSV files, one an institution, and the mapping that the demonstration writes for each.

Reads headers and a sample; the rows themselves are read by each institution's client. The folder is never written to.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clients.institution.csv_format import CsvFormat, find_format
from clients.institution.propose import date_order
from clients.institution.regions import country_regions, decided, iban_regions, phone_regions
from runtime.exits import ExitCode, UserError

TRUTH_FILE = "truth.csv"
RECORD_ID = "record_id"
NOTE = "note"
UNKNOWN_COUNTRY = "ZZ"

_ALONE = {"email": ("email", "address"), "bank-account": ("iban", "iban"), "crypto-address": ("wallet", "address")}
"""Kinds that one column makes: the column, and the name of the kind's part."""
_OF_A_COUNTRY = {
    "national-id": ("national_id", "number"),
    "passport": ("passport", "number"),
    "vehicle-plate": ("plate", "plate"),
}
"""Kinds whose numbers are some country's. A row's country is where somebody lives, not who issued a passport, and not
every file has the column: all are taken as of an unknown country, so that no two files disagree about one number.
"""
_CONSTANTS = {
    "country": UNKNOWN_COUNTRY,
    # A handle may stand without its platform; "any" meets only other handles of which nobody knows the platform.
    "platform": "any",
}
_SAMPLE = 2000
_INSTITUTION_ID = re.compile(r"[a-z0-9.-]{1,64}", re.ASCII)


@dataclass(frozen=True)
class OwnFile:
    """One institution's file: its id (from the file's name), header, how many rows at most, and how it is written."""

    institution_id: str
    path: Path
    columns: tuple[str, ...]
    rows: int
    format: CsvFormat
    dates: str | None
    regions: Counter[str]


def read_folder(folder: Path) -> list[OwnFile]:
    """Every NAME.csv of `folder` but truth.csv, sorted by name. Raises UserError where fewer than two are there."""
    paths = sorted(path for path in folder.glob("*.csv") if path.name != TRUTH_FILE)
    if len(paths) < 2:
        raise UserError(f"{folder} needs at least two CSV files, one an institution.", ExitCode.INPUT_REFUSED)
    return [read_file(path) for path in paths]


def read_file(path: Path) -> OwnFile:
    """Look at one file's header and its first rows; raises UserError naming the file."""
    institution_id = path.stem.lower().replace("_", "-").replace(" ", "-")
    if not _INSTITUTION_ID.fullmatch(institution_id):
        raise UserError(f"{path.name}: the name must be of letters, digits, dots and hyphens.", ExitCode.INPUT_REFUSED)
    found = find_format(path, None, None)
    with path.open(encoding=found.encoding, newline="") as handle:
        reader = csv.DictReader(handle, delimiter=found.delimiter)
        columns = tuple(reader.fieldnames or ())
        if "id" not in columns:
            raise UserError(f"{path.name} has no column id.", ExitCode.INPUT_REFUSED)
        sample = [row for row, _ in zip(reader, range(_SAMPLE), strict=False)]
        rows = len(sample) + sum(1 for _ in reader)
    dates = date_order(row.get("date_of_birth") or "" for row in sample)
    return OwnFile(institution_id, path, columns, rows, found, dates, _regions(sample))


def _regions(sample: list[dict[str, str]]) -> Counter[str]:
    """How often each country shows in a file's international numbers, IBANs and countries."""
    phones, ibans, countries = ([row.get(name) or "" for row in sample] for name in ("phone", "iban", "country"))
    return phone_regions(phones) + iban_regions(ibans) + country_regions(countries)


def region_of(own: OwnFile, files: Sequence[OwnFile]) -> str:
    """The country of a file's national telephone numbers: what the file shows, else all files together, else ZZ."""
    together = sum((each.regions for each in files), Counter[str]())
    return decided(own.regions) or decided(together) or UNKNOWN_COUNTRY


def mapping_toml(own: OwnFile, *, region: str) -> str:
    """The mapping for one file: every column that is known becomes an identifier or a sealed field; all rows are sent.

    `region` is the country of numbers and addresses written without one (ISO 3166-1, two letters; ZZ is unknown).
    """
    defaults = {"country": region, "region": region}
    if own.dates:
        defaults["dates"] = own.dates
    payload = {RECORD_ID: "id", **({NOTE: NOTE} if NOTE in own.columns else {})}
    source = {"path": str(own.path.absolute()), "delimiter": own.format.delimiter, "encoding": own.format.encoding}
    lines = ["[source]", *_lines(source), "[row]", 'id = "id"', "[defaults]", *_lines(defaults), "[columns]"]
    lines += [f"{_text(kind)} = {parts}" for kind, parts in _identifiers(own.columns).items()]
    lines += ["[payload]", *_lines(payload), "[filter]", "all_rows = true", ""]
    return "\n".join(lines)


def _identifiers(columns: tuple[str, ...]) -> dict[str, str]:
    """Each kind that this header can make, and the TOML table of its parts."""
    has = frozenset(columns).__contains__
    country = {"country": "country"} if has("country") else {}
    made = {kind: _table({part: column}) for kind, (column, part) in _ALONE.items() if has(column)}
    made |= {kind: _table({part: column}, "country") for kind, (column, part) in _OF_A_COUNTRY.items() if has(column)}
    if has("phone"):
        made["phone"] = _table({"number": "phone"} | country)
    if has("handle"):
        made["web-handle"] = _table({"handle": "handle"}, "platform")
    if has("date_of_birth") and has("given_name") and has("family_name"):
        made["person.name-birthdate"] = _table(_same("given_name", "family_name", "date_of_birth"))
    elif has("date_of_birth") and has("full_name"):
        made["person.name-birthdate"] = _table(_same("full_name", "date_of_birth"))
    places = _same(*filter(has, ("postcode", "city")))
    if has("street") and places:
        made["address.postal"] = _table(_same("street") | places | country)
    return made


def _same(*names: str) -> dict[str, str]:
    """Parts that are called as their columns are."""
    return {name: name for name in names}


def _lines(values: Mapping[str, str]) -> list[str]:
    return [f"{key} = {_text(value)}" for key, value in values.items()]


def _table(parts: Mapping[str, str], *constants: str) -> str:
    """An inline table: each part's column, and what stands in where there is no column for a part."""
    pairs = [f"{part} = {_text(column)}" for part, column in parts.items()]
    pairs += [f"{part} = {{ value = {_text(_CONSTANTS[part])} }}" for part in constants]
    return "{ " + ", ".join(pairs) + " }"


def _text(value: str) -> str:
    """A TOML basic string: JSON's escapes are among TOML's, but for the bytes that neither allows bare."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
