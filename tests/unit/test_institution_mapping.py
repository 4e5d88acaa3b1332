"""The mapping: read strictly, checked against the agreement, applied to rows; and `init`, which proposes one."""

import re
import sqlite3
import tomllib
from pathlib import Path

import pytest

from clients.identifiers.registry import KIND_NAMES
from clients.institution.header_words import meaning_of
from clients.institution.mapping import RowMapping, check_terms
from clients.institution.mapping_file import load_mapping, parse_mapping
from clients.institution.prepare import (
    FILTERED,
    INDICATOR_NOT_AGREED,
    NO_IDENTIFIER,
    FoundPlaceholder,
    PreparedRecord,
    Rejection,
    prepare_row,
)
from clients.institution.proposal_text import proposal_text
from clients.institution.propose import Wishes, date_order, propose, restricted
from clients.institution.rows import Row, read_rows
from runtime.exits import ExitCode, UserError
from tests.agreement_world import example_document, example_terms

MAPPING = """\
[source]
path = "customers.csv"

[row]
id = "no"

[defaults]
region = "GB"
country = "ZZ"
dates = "day-first"

[columns]
phone = ["mobile", { number = "home", country = "land" }]
email = "mail"
bank-account = { sort_code = "sort", account_number = "account" }
web-handle = { handle = "handle", platform = { value = "instagram" } }
person.name-birthdate = { given_name = "first", family_name = "last", date_of_birth = "born" }

[payload]
record_id = "no"
note = "remark"

[indicators]
columns = ["codes"]
rename = { "7" = "cash" }

[indicators.flags]
travel = { column = "flights", any = ["often"] }

[filter]
column = "flag"
any = ["yes", "1"]
"""

CELLS = {
    "no": "17",
    "mobile": "07700 900123",
    "home": "",
    "land": "",
    "mail": "A@Example.org",
    "sort": "12-34-56",
    "account": "98765432",
    "handle": "@anna",
    "first": "Anna",
    "last": "Example",
    "born": "28/02/1990",
    "remark": "n",
    "codes": "",
    "flights": "",
    "flag": "Yes ",
}


def mapping(text: str = MAPPING) -> RowMapping:
    """The mapping in a text."""
    return parse_mapping(text, Path("mapping.toml"), {})


def refused(text: str) -> str:
    """The sentence with which a text is refused."""
    with pytest.raises(UserError) as error:
        mapping(text)
    assert error.value.exit_code is ExitCode.DOCUMENTS_REFUSED
    return error.value.message


def prepared(found: RowMapping | None = None, agreed: tuple[str, ...] | None = None, **cells: str) -> PreparedRecord:
    """What becomes of the row with some cells changed."""
    terms = None if agreed is None else example_terms(indicators=list(agreed))
    return prepare_row(Row(1, "17", {**CELLS, **cells}), found or mapping(), terms)


def values(record: PreparedRecord) -> list[tuple[str, str]]:
    """The identifiers of a record."""
    return [(each.kind, each.value) for each in record.identifiers]


def test_a_row_becomes_identifiers_sealed_fields_and_indicators() -> None:
    record = prepared(codes="7; other;7", flights="OFTEN", home="06 12 34 56 78", land="France")
    assert values(record) == [
        ("phone", "+447700900123"),
        ("phone", "+33612345678"),
        ("email", "a@example.org"),
        ("bank-account", "GB|123456|98765432"),
        ("web-handle", "instagram:anna"),
        ("person.name-birthdate", "anna example|1990-02-28"),
    ]
    assert record.fields == {"record_id": "17", "note": "n"}
    assert record.indicators == ("cash", "other", "travel")
    assert (record.rejected, record.placeholders, record.skipped) == ((), (), None)


def test_the_same_identifier_in_two_columns_is_one() -> None:
    record = prepared(home="+44 7700 900123")
    assert [kind for kind, _ in values(record)].count("phone") == 1


def test_what_cannot_be_used_is_named_by_row_column_and_reason_and_the_rest_is_used() -> None:
    record = prepared(mail="nobody", mobile="unknown", account="", remark="")
    assert record.rejected == (
        Rejection(1, "email", "mail", "format"),
        Rejection(1, "bank-account", "account", "incomplete"),
    )
    assert record.placeholders == (FoundPlaceholder("phone", "mobile"),)
    assert [kind for kind, _ in values(record)] == ["web-handle", "person.name-birthdate"]
    assert record.fields == {"record_id": "17"}


def test_a_row_that_the_filter_holds_back_is_not_even_normalised() -> None:
    assert prepared(flag="no", mail="nobody") == PreparedRecord("17", skipped=FILTERED)


def test_a_row_without_any_identifier_is_skipped() -> None:
    blank = dict.fromkeys(("mobile", "mail", "sort", "account", "handle", "first", "last"), "")
    record = prepared(**blank, born="")
    assert (record.skipped, record.identifiers, record.fields) == (NO_IDENTIFIER, (), {})


def test_an_indicator_that_is_not_agreed_stays_here() -> None:
    record = prepared(codes="7;secret", agreed=("cash",))
    assert record.indicators == ("cash",)
    assert record.rejected == (Rejection(1, "", "codes", INDICATOR_NOT_AGREED),)


def test_values_stay_out_of_every_repr() -> None:
    record = prepared(mail="nobody")
    shown = repr(record) + repr(Row(1, "17", CELLS)) + repr(mapping().source)
    for secret in ("7700", "anna", "nobody", "98765432", "1990"):
        assert secret not in shown.lower()


def test_lone_surrogates_in_a_sealed_field_become_question_marks() -> None:
    assert prepared(remark="a\ud800e\u0301").fields["note"] == "a?é"


def test_only_the_columns_that_are_mapped_are_read(tmp_path: Path) -> None:
    (tmp_path / "customers.csv").write_text(",".join((*CELLS, "salary")) + "\n" + "1," * len(CELLS) + "9999\n")
    (tmp_path / "mapping.toml").write_text(MAPPING)
    [row] = read_rows(load_mapping(tmp_path / "mapping.toml", {}))
    assert set(row.raw) == set(CELLS)
    assert (row.number, row.row_id) == (1, "1")


def test_a_row_without_an_id_is_refused_with_its_number(tmp_path: Path) -> None:
    (tmp_path / "customers.csv").write_text("no,mail\n1,a\n ,b\n")
    text = '[source]\npath = "customers.csv"\n[row]\nid = "no"\n[columns]\nemail = "mail"\n[filter]\nall_rows = true\n'
    (tmp_path / "mapping.toml").write_text(text)
    with pytest.raises(UserError, match=r"customers\.csv, row 2: no id in the column 'no'"):
        list(read_rows(load_mapping(tmp_path / "mapping.toml", {})))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('id = "no"', 'key = "no"', "line 4: row.id is missing"),
        ("email =", "e-mail =", "line 14: columns.e-mail is no kind"),
        ('"mail"', '{ adress = "mail" }', "line 14: columns.email.adress is no part of email, which has address"),
        ('"mail"', "3", "line 14: columns.email must be a column, a table of parts, or a list of these"),
        ('"mail"', '{ address = { value = "a@b.example" } }', "line 14: columns.email.address must be a column: every"),
        ('"mail"', "[]", "line 14: columns.email must name at least one column"),
        ('given_name = "first", ', "", "needs given_name + family_name + date_of_birth or full_name + date_of_birth"),
        (
            '{ sort_code = "sort", account_number = "account" }',
            '{ sort_code = "sort" }',
            "needs iban or sort_code + acc",
        ),
        ('{ given_name = "first", family_name = "last", date_of_birth = "born" }', '"last"', "needs its parts named"),
        ('"GB"', '"gb"', "line 8: defaults.region must be a country's two-letter code in capitals"),
        ('"GB"', '"QQ"', "line 8: defaults.region must be a country's two-letter code in capitals"),
        ('"day-first"', '"european"', "line 10: defaults.dates must be one of: day-first, month-first"),
        ('any = ["yes", "1"]', "", "filter needs both column and any"),
        ('any = ["yes", "1"]', "any = []", "filter.any must not be empty"),
        ('column = "flag"\nany = ["yes", "1"]', "", "filter must have either column and any"),
        ('column = "flag"\nany = ["yes", "1"]', "all_rows = false", "filter must have either column and any"),
        ('any = ["yes", "1"]', 'any = ["yes"]\nall_rows = true', "filter must have either column and any"),
        ("[payload]", "[payloads]", "payloads is not known here"),
        ('path = "customers.csv"', "", "source.path is missing"),
        ('path = "customers.csv"', 'path = "customers.xlsx"', "does not tell by its name what it is"),
        (
            'path = "customers.csv"',
            'path = "c.csv"\nquery = "SELECT 1"',
            "line 3: source.query does not go with a file",
        ),
        ('path = "customers.csv"', 'path = "c.csv"\ndelimiter = ";;"', "source.delimiter must be one character"),
        ('path = "customers.csv"', 'url = "sqlite:///a"', "source.query is missing"),
        ('path = "customers.csv"', 'url = "sqlite:///a"\nquery = "S"\nencoding = "x"', "does not go with a database"),
        ('path = "customers.csv"', 'url_variable = "NOT_SET"\nquery = "S"', "names NOT_SET, which is not set"),
        ('path = "customers.csv"', 'path = "c.csv"\ntype = "xml"', "source.type must be one of: csv, parquet, sql"),
        ("[filter]", '[placeholders]\nadd = { phones = ["x"] }\n[filter]', "placeholders.add.phones is no kind"),
        ("[filter]", "[filter", "is not TOML"),
    ],
)
def test_what_is_wrong_is_named_with_its_line_and_key(old: str, new: str, message: str) -> None:
    assert old in MAPPING
    assert message in refused(MAPPING.replace(old, new, 1))


def test_a_mapping_that_is_not_there_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="crosslight institution init"):
        load_mapping(tmp_path / "mapping.toml")


def test_a_database_url_may_come_from_the_environment_and_is_never_shown() -> None:
    text = MAPPING.replace('path = "customers.csv"', 'url_variable = "BANK"\nquery = "SELECT 1"')
    found = parse_mapping(text, Path("mapping.toml"), {"BANK": "sqlite:///s3cret"})
    assert found.source.url == "sqlite:///s3cret"
    assert "s3cret" not in repr(found)


def test_paths_count_from_the_mappings_folder(tmp_path: Path) -> None:
    found = parse_mapping(MAPPING, tmp_path / "mapping.toml", {})
    assert found.source.path == tmp_path / "customers.csv"


def test_a_kind_may_be_written_with_and_without_quotes() -> None:
    quoted = MAPPING.replace("person.name-birthdate =", '"person.name-birthdate" =')
    assert mapping(quoted).identifiers == mapping().identifiers


def test_the_fingerprint_changes_with_what_decides_and_with_nothing_else() -> None:
    print_of = mapping().fingerprint
    assert len(print_of) == 32
    assert mapping(MAPPING.replace("customers.csv", "other.csv")).fingerprint == print_of
    assert mapping("# a comment\n" + MAPPING).fingerprint == print_of
    for old, new in (
        ('"GB"', '"DE"'),
        ('"ZZ"', '"DE"'),
        ("day-first", "month-first"),
        ('email = "mail"', 'email = "home"'),
        ('value = "instagram"', 'value = "any"'),
        ('note = "remark"', 'note = "codes"'),
        ('"7" = "cash"', '"8" = "cash"'),
        ('"often"', '"seldom"'),
        ('any = ["yes", "1"]', 'any = ["yes"]'),
        ("[filter]", '[placeholders]\nkeep = ["null"]\n[filter]'),
    ):
        assert mapping(MAPPING.replace(old, new, 1)).fingerprint != print_of, old


def test_kinds_fields_indicators_and_versions_must_be_those_of_the_agreement() -> None:
    agreed = example_terms(indicators=["cash", "travel"])
    check_terms(mapping(), agreed)
    document = example_document()
    kinds = {**document["kinds"]}
    del kinds["email"]
    alone = [kind for kind in document["opening_rule"]["alone"] if kind != "email"]
    spaces = {kind: size for kind, size in document["identifier_spaces"].items() if kind != "email"}
    changed = {
        "kinds": kinds,
        "opening_rule": {**document["opening_rule"], "alone": alone},
        "identifier_spaces": spaces,
    }
    newer = {**document["kinds"], "email": {**document["kinds"]["email"], "normalisation": 2}}
    for changes, message in (
        (changed, "the kind email is not in the agreement"),
        ({"kinds": newer}, "the agreement wants normalisation version 2 of email, and this client has version 1"),
        ({"fields": ["record_id"]}, "the payload field note is not in the agreement, whose fields are: record_id"),
        ({"indicators": []}, "the indicator cash is not in the agreement, whose indicators are: none"),
    ):
        with pytest.raises(UserError, match=re.escape(message)) as error:
            check_terms(mapping(), example_terms(**{"indicators": ["cash", "travel"], **changes}))
        assert error.value.exit_code is ExitCode.DOCUMENTS_REFUSED


@pytest.mark.parametrize(
    ("column", "meaning"),
    [
        ("Tel.-Nr.", "phone"),
        ("customer_phone", "phone"),
        ("PHONE2", "phone"),
        ("Mobile No", "phone"),
        ("Handy", "phone"),
        ("Date of Birth", "date_of_birth"),
        ("Geb.-Datum", "date_of_birth"),
        ("fecha_nacimiento", "date_of_birth"),
        ("Prénom", "given_name"),
        ("NACHNAME", "family_name"),
        ("soc_sec_id", "national_id"),
        ("rec_id", "row_id"),
        ("address_1", "street"),
        ("Kod pocztowy", "postcode"),
        ("Kennzeichen", "plate"),
        ("salary", None),
        ("", None),
    ],
)
def test_a_columns_name_is_understood_in_several_languages(column: str, meaning: str | None) -> None:
    assert meaning_of(column) == meaning


def test_the_order_of_dates_is_found_only_where_the_sample_shows_it() -> None:
    assert date_order(["03/04/1990", "28/02/1990"]) == "day-first"
    assert date_order(["03/04/1990", "02-28-1990 00:00"]) == "month-first"
    assert date_order(["03/04/1990", "05/05/1990"]) is None
    assert date_order(["28/02/1990", "02/28/1990"]) is None
    assert date_order(["1990-02-28", "28.02.1990", "unknown", ""]) is None


CUSTOMERS = """\
Kundennr;Vorname;Nachname;Geburtsdatum;Telefon;E-Mail;IBAN;Verdacht;Notiz;Kennzeichen;Kontakt;Instagram;Gehalt
1;Jürgen;Müller;01/12/1971;030 123456;x@example.org;DE89370400440532013000;ja;n1;B-AB 123;a@example.org;anna;1
2;Anna;Example;28/02/1990;unbekannt;y@example.org;DE89 3704 0044 0532 0130 00;nein;;;b@example.org;;2
3;Ola;Nordmann;12/12/1980;+47 22 12 34 56;z@example.org;DE89370400440532013000;ja;;;c@example.org;;2
"""


def test_a_proposal_reads_names_and_values_and_can_be_used_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text(CUSTOMERS, "utf-8")
    text = proposal_text(propose(str(tmp_path / "c.csv"), None, tmp_path.resolve(), Wishes()))
    found = parse_mapping(text, tmp_path / "mapping.toml", {})
    assert tomllib.loads(text)["source"] == {"path": "c.csv", "type": "csv"}
    assert found.kinds == ("phone", "email", "bank-account", "vehicle-plate", "web-handle", "person.name-birthdate")
    assert (found.hints.region, found.hints.country, found.hints.dates) == ("DE", "ZZ", "day-first")
    assert found.row_id == "Kundennr"
    assert found.payload == {"record_id": "Kundennr", "note": "Notiz"}
    assert found.filter.described() == ["Verdacht", ["ja"]]
    handle = next(each for each in found.identifiers if each.kind == "web-handle")
    assert handle.constants == {"platform": "instagram"}
    assert "# not used: Gehalt" in text
    assert "# Kontakt: by its values; 3 of 3 sample values can be read" in text
    assert "3 of 3 IBANs in the sample are of DE" in text
    # Each setting has its reason in a comment before it.
    lines = [line for line in text.splitlines() if line]
    assert all(lines[place - 1][0] in "#[" for place, line in enumerate(lines) if line.startswith(tuple(KIND_NAMES)))
    sent = [record for row in read_rows(found) if not (record := prepare_row(row, found, None)).skipped]
    assert [len(record.identifiers) for record in sent] == [7, 5]


def test_a_proposal_without_a_flag_says_that_every_row_would_be_sent(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("a,b\n1,x@example.org\n2,y@example.org\n3,z@example.org\n")
    text = proposal_text(propose(str(tmp_path / "c.csv"), None, tmp_path, Wishes(region="GB", country="GB")))
    found = parse_mapping(text, tmp_path / "mapping.toml", {})
    assert (found.row_id, found.kinds, found.filter.condition) == ("a", ("email",), None)
    assert (found.hints.region, found.hints.country) == ("GB", "GB")
    assert "so this sends EVERY row" in text


def test_column_names_of_every_kind_survive_the_proposal(tmp_path: Path) -> None:
    awkward = ['E"mail', "mail\\n", "e mail", "mail ]#", "maïl\x7f"]
    with (tmp_path / "c.csv").open("w", encoding="utf-8") as file:
        file.write("id," + ",".join('"' + name.replace('"', '""') + '"' for name in awkward) + "\n")
        for row in range(4):
            file.write(f"{row}," + ",".join(f"p{row}{place}@example.org" for place in range(len(awkward))) + "\n")
    text = proposal_text(propose(str(tmp_path / "c.csv"), None, tmp_path, Wishes()))
    found = parse_mapping(text, tmp_path / "mapping.toml", {})
    assert [each.columns["address"] for each in found.identifiers] == awkward


def test_a_proposal_leaves_out_what_the_agreement_does_not_have(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text(CUSTOMERS, "utf-8")
    proposal = propose(str(tmp_path / "c.csv"), None, tmp_path, Wishes())
    document = example_document()
    phone_only = example_terms(
        kinds={"phone": document["kinds"]["phone"]},
        opening_rule={**document["opening_rule"], "alone": ["phone"]},
        identifier_spaces={},
        fields=["record_id"],
    )
    narrowed = restricted(proposal, phone_only)
    assert narrowed.kinds == ("phone",)
    assert narrowed.payload == {"record_id": "Kundennr"}
    assert {"E-Mail", "IBAN", "Vorname", "Gehalt"} <= set(narrowed.unused)
    check_terms(parse_mapping(proposal_text(narrowed), tmp_path / "mapping.toml", {}), phone_only)


def test_a_database_is_proposed_without_its_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with sqlite3.connect(tmp_path / "c.db") as connection:
        connection.execute("CREATE TABLE customers (id INTEGER, email TEXT)")
        connection.execute("INSERT INTO customers VALUES (1, 'a@example.org')")
    connection.close()
    url = f"sqlite:///{tmp_path}/c.db"
    query = 'SELECT id, email FROM "customers"'
    plain = tomllib.loads(proposal_text(propose(url, query, tmp_path, Wishes())))
    assert plain["source"] == {"url": url, "query": query}
    monkeypatch.setenv("BANK", url)
    named = proposal_text(propose("env:BANK", query, tmp_path, Wishes()))
    assert tomllib.loads(named)["source"] == {"url_variable": "BANK", "query": query}
    with pytest.raises(UserError, match="--query"):
        propose(url, None, tmp_path, Wishes())


def test_a_source_with_nothing_to_match_by_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("id,salary\n1,2\n")
    with pytest.raises(UserError, match=r"Nothing in c\.csv looks like an identifier"):
        propose(str(tmp_path / "c.csv"), None, tmp_path, Wishes())
