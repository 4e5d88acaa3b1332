"""Laws of normalisation: it never fails, one result stands for all ways of writing, and normalising twice is once.

Hypothesis draws text of every script; lone surrogates and control characters are among it.
"""

import random
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clients.identifiers import KIND_NAMES, Hints, Normalised, Rejected, normalise
from clients.identifiers.cleaning import NoText, clean, letters_and_digits, words
from clients.identifiers.kinds.national_id import SCHEMES
from clients.identifiers.outcomes import REASONS
from clients.identifiers.registry import kind_of

HINTS = Hints("GB", "GB", "day-first")
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=40)
LIKELY_TEXT = st.text("0123456789 +-./()@:|abcxyzäöüßøéЖ李'\u200b٣", max_size=24)
LIKELY_PIECES = [
    *(
        "0151",
        "+44",
        "7700 900",
        "123",
        "@",
        "example.org",
        "DE89",
        "3704",
        "bc1q",
        "0x",
        "1A1z",
        "instagram.com/",
        "/",
    ),
    *(
        "https://",
        "Dr.",
        "Anna",
        "O'Neil",
        ", ",
        "van",
        "der",
        "1990",
        "-02-",
        "28",
        "Jan",
        "Straße",
        "Flat",
        "5a",
        "|",
    ),
    *("\ud800", "\x00", "\u202e", "ﬁ", "٠١٢", "Å", "İ", "ı", "½", "①", "e\u0301", "\u0301", "ß", "ſ", " ", "\n", "\t"),
]


def parts_of(kind: str, texts: list[str]) -> dict[str, str]:
    """The kind's parts, filled with texts in turn."""
    return {part.name: texts[place % len(texts)] for place, part in enumerate(kind_of(kind).parts)}


def check(kind: str, parts: dict[str, str]) -> None:
    """Whatever comes in, the outcome is sound, and a canonical value is its own canonical value."""
    outcome = normalise(kind, parts, HINTS)
    if isinstance(outcome, Rejected):
        assert outcome.reason in REASONS
        assert outcome.part in kind_of(kind).by_name
    if isinstance(outcome, Normalised):
        assert outcome.value
        assert unicodedata.is_normalized("NFC", outcome.value)
        outcome.value.encode("utf-8")
        again = normalise(kind, kind_of(kind).split(outcome.value), HINTS)
        assert again == outcome, (
            f"{parts!r} gives {outcome.value!r}, and that gives {again!r} {getattr(again, 'value', '')!r}"
        )


@pytest.mark.parametrize("kind", KIND_NAMES)
@given(texts=st.lists(st.one_of(ANY_TEXT, LIKELY_TEXT), min_size=1, max_size=5))
@settings(max_examples=150, deadline=None)
def test_any_text_gives_a_sound_outcome_and_normalising_twice_is_normalising_once(kind: str, texts: list[str]) -> None:
    check(kind, parts_of(kind, texts))


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_two_thousand_strings_put_together_from_likely_pieces_never_crash_a_kind(kind: str) -> None:
    source = random.Random(f"pieces for {kind}")
    for _ in range(2000):
        texts = ["".join(source.choices(LIKELY_PIECES, k=source.randint(0, 6))) for _ in range(5)]
        check(kind, parts_of(kind, texts))


VALID = {
    "phone": {"number": "07700 900123"},
    "email": {"address": "Anna.Example@Example.ORG"},
    "bank-account": {"iban": "DE89 3704 0044 0532 0130 00"},
    "national-id": {"number": "111222333", "country": "NL"},
    "passport": {"number": "C01X00T47", "country": "DE"},
    "crypto-address": {"address": "1NEDqZPvTWRaoho48qXuLLsrYomMXPABfD"},
    "vehicle-plate": {"plate": "AB12 CDE", "country": "GB"},
    "web-handle": {"handle": "instagram.com/anna.example"},
    "person.name-birthdate": {"given_name": "Anna", "family_name": "Example", "date_of_birth": "1990-02-28"},
    "address.postal": {"street": "10 Downing Street", "postcode": "SW1A 2AA"},
}


@pytest.mark.parametrize("kind", KIND_NAMES)
@given(
    before=st.text(" \t\u00a0\u200b\u200e\u202a\ufeff", max_size=4),
    after=st.text(" \t\n\u00ad\u2060\u202c", max_size=4),
)
@settings(max_examples=30, deadline=None)
def test_blanks_and_invisible_characters_around_a_value_change_nothing(kind: str, before: str, after: str) -> None:
    around = {part: before + text + after for part, text in VALID[kind].items()}
    assert isinstance(normalise(kind, VALID[kind], HINTS), Normalised)
    assert normalise(kind, around, HINTS) == normalise(kind, VALID[kind], HINTS)


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
@pytest.mark.parametrize("kind", ["person.name-birthdate", "address.postal", "email", "web-handle", "vehicle-plate"])
def test_every_unicode_form_of_a_text_gives_one_value(kind: str, form: str) -> None:
    accented = {
        "person.name-birthdate": {"given_name": "Zoë", "family_name": "Müller", "date_of_birth": "1990-02-28"},
        "address.postal": {"street": "Körnerstraße 5", "postcode": "10115", "country": "Österreich"},
        "email": {"address": "zoë@example.org"},
        "web-handle": {"handle": "vk:zoë.müller"},
        "vehicle-plate": {"plate": "MÜ-AB 123", "country": "DE"},
    }[kind]
    written = {part: unicodedata.normalize(form, text) for part, text in accented.items()}
    assert normalise(kind, written, HINTS) == normalise(kind, accented, HINTS)
    assert isinstance(normalise(kind, written, HINTS), Normalised)


@given(ANY_TEXT)
@settings(max_examples=500, deadline=None)
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    try:
        cleaned = clean(text)
    except NoText:
        return
    assert clean(cleaned) == cleaned
    assert letters_and_digits(letters_and_digits(cleaned)) == letters_and_digits(cleaned)
    assert words(" ".join(words(cleaned))) == words(cleaned)


@pytest.mark.parametrize("country", sorted(SCHEMES))
def test_no_countrys_identity_numbers_crash_or_change_when_normalised_again(country: str) -> None:
    source = random.Random(f"identity numbers of {country}")
    for alphabet in ("0123456789", "0123456789-+ABKTX./ ", "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ", "٠１2Äßſİ"):
        for _ in range(50):
            check(
                "national-id",
                {"number": "".join(source.choices(alphabet, k=source.randint(5, 20))), "country": country},
            )
