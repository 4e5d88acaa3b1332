"""Writes the demonstration's customers: four institutions' files, and the truth about who is in more than one.

Planted are people whom two to four institutions hold, each written in its own way; beside them near misses (the same
name on another birthday, a shared address), placeholders and typing errors. A seed is a set of files.
"""

from __future__ import annotations

import csv
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

from demo.handwriting import INSTITUTIONS, Handwriting
from demo.made_up import PeopleSource, Person
from demo.score import TRUTH_COLUMNS

TRUTH_FILE = "truth.csv"

# Shares of an institution's customers.
_SHARED = 8
_NEAR_MISSES = 20

_HARD = 0.04
"""Of the planted people: those who moved, changed their numbers and are misspelt, so that nothing agrees."""

_BLANK = 0.12
_CHANGED = 0.08
_TYPING_ERROR = 0.03
_PLACEHOLDER = 0.02
_PLACEHOLDERS = {
    "phone": ("unknown", "0000000000", "n/a", "-"),
    "email": ("none", "noreply@example.org"),
    "date_of_birth": ("1900-01-01",),
    "iban": ("tbc",),
    "national_id": ("unknown",),
    "passport": ("000000000",),
}
_NEVER_BLANK = frozenset({"given_name", "family_name", "full_name", "date_of_birth"})

Rows = dict[str, list[tuple[Person, dict[str, str]]]]
"""Each institution's rows, with the person whom each is about."""


def write_people(folder: Path, *, customers: int, seed: int) -> None:
    """Write NAME.csv for four institutions with `customers` rows each, and truth.csv, into `folder` (made if missing).

    The same numbers give the same bytes.
    """
    source = random.Random(seed)
    people = PeopleSource(source)
    rows: Rows = {institution.name: [] for institution in INSTITUTIONS}
    _plant_shared(rows, people, source, customers // _SHARED)
    _plant_near_misses(rows, people, source, customers // _NEAR_MISSES)
    for institution in INSTITUTIONS:
        filled = rows[institution.name]
        while len(filled) < customers:
            person = people.person()
            filled.append((person, _written(person, institution, people, source)))
        source.shuffle(filled)
    folder.mkdir(parents=True, exist_ok=True)
    for institution in INSTITUTIONS:
        _write_institution(folder, institution, rows[institution.name])
    _write_truth(folder, rows)


def _plant_shared(rows: Rows, people: PeopleSource, source: random.Random, count: int) -> None:
    for _ in range(count):
        person = people.person()
        holders = source.sample(INSTITUTIONS, source.choices((2, 3, 4), (12, 5, 3))[0])
        is_hard = source.random() < _HARD
        for place, institution in enumerate(holders):
            known_as = _elsewhere(person, people, source) if is_hard and place else person
            rows[institution.name].append((person, _written(known_as, institution, people, source)))


def _elsewhere(person: Person, people: PeopleSource, source: random.Random) -> Person:
    """The same person as another institution knows them under wrong and new particulars: nothing agrees."""
    stranger = people.person()
    return replace(stranger, given=person.given, middle="", family=_mistyped(person.family, source), born=person.born)


def _plant_near_misses(rows: Rows, people: PeopleSource, source: random.Random, count: int) -> None:
    for place in range(count):
        one, other = source.sample(INSTITUTIONS, 2)
        person = people.person()
        near = people.namesake(person) if place % 2 else people.housemate(person)
        for institution, who in ((one, person), (other, near)):
            rows[institution.name].append((who, _written(who, institution, people, source)))


def _written(person: Person, institution: Handwriting, people: PeopleSource, source: random.Random) -> dict[str, str]:
    """One row: the person in the institution's way of writing, with what is blank, changed, mistyped or made up."""
    if source.random() < _CHANGED:
        person = replace(person, phone=people.new_phone())
    if source.random() < _CHANGED:
        person = replace(person, email=people.new_email(person))
    row = {}
    for column, write in institution.columns.items():
        text = write(person, source)
        chance = source.random()
        if column in _PLACEHOLDERS and chance < _PLACEHOLDER:
            text = source.choice(_PLACEHOLDERS[column])
        elif column not in _NEVER_BLANK and chance < _BLANK:
            text = ""
        elif column in ("family_name", "phone", "full_name") and chance > 1 - _TYPING_ERROR:
            text = _mistyped(text, source)
        row[column] = text
    return row


def _mistyped(text: str, source: random.Random) -> str:
    """Two neighbouring characters that differ, swapped; where there are none, the last one doubled."""
    places = [
        place
        for place in range(1, len(text) - 1)
        if text[place].isalnum() and text[place + 1].isalnum() and text[place] != text[place + 1]
    ]
    if not places:
        return text + text[-1:]
    place = source.choice(places)
    return text[:place] + text[place + 1] + text[place] + text[place + 2 :]


def _row_id(institution: Handwriting, place: int) -> str:
    initials = "".join(word[0] for word in institution.name.split("-"))
    return f"{initials.upper()}{place:06d}"


def _write_institution(
    folder: Path, institution: Handwriting, rows: Sequence[tuple[Person, Mapping[str, str]]]
) -> None:
    with (folder / f"{institution.name}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["id", *institution.columns], delimiter=institution.delimiter)
        writer.writeheader()
        for place, (_, row) in enumerate(rows, start=1):
            writer.writerow({"id": _row_id(institution, place), **row})


def _write_truth(folder: Path, rows: Rows) -> None:
    """Every pair of rows of different institutions that are about one person."""
    held: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for institution in INSTITUTIONS:
        for place, (person, _) in enumerate(rows[institution.name], start=1):
            held[person.number].append((institution.name, _row_id(institution, place)))
    pairs = sorted((*one, *other) for names in held.values() for one, other in combinations(sorted(names), 2))
    with (folder / TRUTH_FILE).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(TRUTH_COLUMNS)
        writer.writerows(pairs)
