"""Sources: CSV in every form that banks export, Parquet, and queries; what is broken is named with its row."""

import csv
import decimal
import io
import os
import sqlite3
import tracemalloc
import uuid
from datetime import UTC, date, datetime, time
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from clients.institution.cells import NoCellText, cell_text
from clients.institution.csv_format import find_format
from clients.institution.csv_source import CELL_LIMIT, LINE_LIMIT
from clients.institution.source import SourceSettings, open_source, type_by_name
from runtime.exits import ExitCode, UserError

TABLE = [["id", "name", "telefon"], ["1", "Jürgen Müller", "0151 1"], ["2", "Łukasz; Żak", "0151 2"]]


def csv_file(path: Path, content: bytes | str) -> SourceSettings:
    """Settings of a CSV file with that content."""
    path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return SourceSettings("csv", path)


def written(rows: list[list[str]], delimiter: str, line_end: str = "\r\n") -> str:
    """The rows as CSV."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=line_end).writerows(rows)
    return text.getvalue()


def read(settings: SourceSettings, *columns: str) -> list[tuple[str, ...]]:
    """All rows of a source."""
    return list(open_source(settings).rows(columns))


def refusal(settings: SourceSettings, *columns: str) -> UserError:
    """The error with which a source ends."""
    with pytest.raises(UserError) as refused:
        read(settings, *columns)
    return refused.value


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_delimiter_and_encoding_are_found(tmp_path: Path, delimiter: str, encoding: str, line_end: str) -> None:
    settings = csv_file(tmp_path / "c.csv", written(TABLE, delimiter, line_end).encode(encoding))
    assert open_source(settings).header() == TABLE[0]
    assert read(settings, "telefon", "name") == [("0151 1", "Jürgen Müller"), ("0151 2", "Łukasz; Żak")]


def test_a_western_code_page_is_found(tmp_path: Path) -> None:
    rows = [["id", "Straße"], *([str(number), f"Größe à la Müller {number} ñ"] for number in range(50))]
    settings = csv_file(tmp_path / "c.csv", written(rows, ";").encode("cp1252"))
    assert read(settings, "Straße")[3] == ("Größe à la Müller 3 ñ",)


def test_another_code_page_is_found(tmp_path: Path) -> None:
    names = ["Łukasz Żółć", "Świętosława Wiśniewska", "Stanisław Dąbrowski", "Małgorzata Kaźmierczak"]
    rows = [["id", "nazwisko", "ulica"], *([str(place), name, "ulica Długa"] for place, name in enumerate(names * 20))]
    settings = csv_file(tmp_path / "c.csv", written(rows, ";").encode("cp1250"))
    assert read(settings, "nazwisko")[0] == ("Łukasz Żółć",)


def test_delimiter_and_encoding_may_be_told(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_bytes("id:näme\n1:ä,ö;ü\n".encode("cp850"))
    settings = SourceSettings("csv", path, delimiter=":", encoding="cp850")
    assert read(settings, "näme") == [("ä,ö;ü",)]
    assert "cp850" in open_source(settings).description


def test_a_told_encoding_that_there_is_not_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text("id\n1\n")
    with pytest.raises(UserError, match="no encoding 'utf-9'"):
        open_source(SourceSettings("csv", path, encoding="utf-9"))


def test_line_breaks_quotes_and_delimiters_within_quotes_belong_to_the_cell(tmp_path: Path) -> None:
    settings = csv_file(tmp_path / "c.csv", 'id,note\n1,"a\nb, ""c"""\n\n2,d\n')
    assert read(settings, "id", "note") == [("1", 'a\nb, "c"'), ("2", "d")]


def test_one_column_alone_is_a_table(tmp_path: Path) -> None:
    assert read(csv_file(tmp_path / "c.csv", "phone\n1\n2\n"), "phone") == [("1",), ("2",)]


def test_a_source_can_be_read_more_than_once(tmp_path: Path) -> None:
    source = open_source(csv_file(tmp_path / "c.csv", "a,b\n1,2\n"))
    assert list(source.rows(["b"])) == list(source.rows(["b"])) == [("2",)]


def test_an_empty_file_and_a_missing_one_are_refused(tmp_path: Path) -> None:
    assert "is empty" in refusal(csv_file(tmp_path / "empty.csv", b""), "a").message
    assert "is empty" in refusal(csv_file(tmp_path / "blank.csv", b"\n\n \n"), "a").message
    missing = refusal(SourceSettings("csv", tmp_path / "missing.csv"), "a")
    assert "There is no file" in missing.message
    assert missing.exit_code is ExitCode.INPUT_REFUSED
    assert "is no file" in refusal(SourceSettings("csv", tmp_path), "a").message


def test_a_header_without_rows_gives_no_rows(tmp_path: Path) -> None:
    assert read(csv_file(tmp_path / "c.csv", "a,b\n"), "a") == []


def test_a_missing_and_a_repeated_column_are_named(tmp_path: Path) -> None:
    settings = csv_file(tmp_path / "c.csv", "id,tel,tel\n1,2,3\n")
    assert (
        refusal(settings, "phone").message
        == "c.csv has no column 'phone', which the mapping names; it has: id, tel, tel."
    )
    assert "2 columns named 'tel'" in refusal(settings, "tel").message
    assert read(settings, "id") == [("1",)]


def test_broken_encoding_names_the_row_and_keeps_the_rows_before(tmp_path: Path) -> None:
    good = "".join(f"{number},ä\n" for number in range(100_000))
    settings = csv_file(tmp_path / "c.csv", b"id,name\n" + good.encode() + b"x,M\xfcller\n")
    rows = open_source(settings).rows(["id"])
    with pytest.raises(UserError, match=r"c\.csv, row 100001: bytes that are no text in utf-8") as refused:
        for _ in rows:
            pass
    assert "Müller" not in refused.value.message
    assert 'encoding = "cp1252"' in refused.value.message


def test_a_broken_utf_16_file_is_refused_in_a_sentence(tmp_path: Path) -> None:
    content = "id,name\n1,a\n".encode("utf-16") + b"\x00\xd8\x00"
    assert "no text in utf-16" in refusal(csv_file(tmp_path / "c.csv", content), "id").message


@pytest.mark.parametrize("row", ["1,2,3", "1"])
def test_a_row_of_another_width_is_refused_with_its_number(tmp_path: Path, row: str) -> None:
    settings = csv_file(tmp_path / "c.csv", f"id,name\n0,a\n{row}\n")
    assert "row 2:" in refusal(settings, "id").message


def test_an_unclosed_quote_is_refused_with_its_row(tmp_path: Path) -> None:
    cut_off = refusal(csv_file(tmp_path / "a.csv", 'id,name\n0,a\n1,"never closed\n'), "id")
    assert "row 2: the file ends within a quoted cell" in cut_off.message
    long = refusal(csv_file(tmp_path / "b.csv", 'id,name\n0,a\n1,"never closed\n' + "x,y\n" * CELL_LIMIT), "id")
    assert "row 2: a cell of more than 131,072 characters" in long.message
    after = refusal(csv_file(tmp_path / "c.csv", 'id,name\n1,"a" b\n'), "id")
    assert "must be written twice" in after.message


@pytest.mark.parametrize("first_line", [b"id,name\n", b""])
def test_a_line_of_a_gigabyte_is_refused_without_being_read(tmp_path: Path, first_line: bytes) -> None:
    path = tmp_path / "c.csv"
    path.write_bytes(first_line + b"x" * 300_000)
    # A gigabyte that takes no disk: the rest of the file is a hole of zero bytes, and there is no line break in it.
    os.truncate(path, 1 << 30)
    settings = SourceSettings("csv", path, delimiter=",", encoding="utf-8")
    tracemalloc.start()
    message = refusal(settings, "id").message
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert f"a line of more than {LINE_LIMIT:,} characters" in message
    assert ("row 1" if first_line else "the header") in message
    assert peak < 16 * LINE_LIMIT


def test_memory_stays_flat_over_many_rows(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    with path.open("w") as file:
        file.write("id,phone,note\n")
        for number in range(60_000):
            file.write(f"{number},07700900{number % 1000:03d},{'n' * 100}\n")
    source = open_source(SourceSettings("csv", path))
    tracemalloc.start()
    assert sum(1 for _ in source.rows(["id", "phone"])) == 60_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 << 20


def test_format_is_found_in_the_beginning_of_a_file_only(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_bytes(b"id;a\n" + b"1;b,c,d\n" * 100_000 + b"\xff")
    assert find_format(path, None, None).delimiter == ";"
    assert find_format(path, None, None).encoding == "utf-8"


def test_parquet_gives_text_of_every_plain_type(tmp_path: Path) -> None:
    path = tmp_path / "c.parquet"
    table = {
        "id": [1, 2],
        "phone": [7700900123.0, None],
        "born": [date(1990, 2, 28), None],
        "name": ["Müller", ""],
        "flag": [True, False],
        "unused": [[1], [2]],
    }
    parquet.write_table(pyarrow.table(table), path)
    settings = SourceSettings("parquet", path)
    assert open_source(settings).header() == list(table)
    rows = read(settings, "name", "id", "phone", "born", "flag")
    assert rows == [("Müller", "1", "7700900123", "1990-02-28", "true"), ("", "2", "", "", "false")]
    assert "'unused' holds a list" in refusal(settings, "unused").message
    assert "no column 'x'" in refusal(settings, "x").message


def test_what_is_no_parquet_file_is_refused_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "c.parquet"
    path.write_bytes(b"id,name\n1,2\n")
    assert "is no Parquet file that can be read" in refusal(SourceSettings("parquet", path), "id").message
    path.write_bytes(b"")
    assert "is no Parquet file that can be read" in refusal(SourceSettings("parquet", path), "id").message


def test_a_cell_of_a_database_type_becomes_text() -> None:
    some_id = uuid.UUID(int=1)
    values = {
        None: "",
        "a": "a",
        5: "5",
        6.0: "6",
        0.5: "0.5",
        float("inf"): "",
        decimal.Decimal("12.50"): "12.50",
        decimal.Decimal("NaN"): "",
        date(1990, 2, 28): "1990-02-28",
        datetime(1990, 2, 28): "1990-02-28",  # noqa: DTZ001
        datetime(1990, 2, 28, 12, tzinfo=UTC): "1990-02-28 12:00:00+00:00",
        time(12, 30): "12:30:00",
        some_id: str(some_id),
    }
    assert {value: cell_text(value) for value in values} == values
    with pytest.raises(NoCellText, match="bytes"):
        cell_text(b"secret")


def customers(path: Path) -> str:
    """A SQLite database with three customers; its URL."""
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE customers (id INTEGER, name TEXT, photo BLOB)")
        connection.executemany(
            "INSERT INTO customers VALUES (?, ?, ?)", [(1, "Ä", b"1"), (2, None, b"2"), (3, "c", b"3")]
        )
    connection.close()
    return f"sqlite:///{path}"


def test_a_query_gives_rows(tmp_path: Path) -> None:
    url = customers(tmp_path / "c.db")
    settings = SourceSettings("sql", url=url, query="SELECT name, id AS number, photo FROM customers ORDER BY id")
    assert open_source(settings).header() == ["name", "number", "photo"]
    assert read(settings, "number", "name") == [("1", "Ä"), ("2", ""), ("3", "c")]
    assert "row 1: a mapped column holds a bytes" in refusal(settings, "photo").message


def test_what_a_database_refuses_is_one_sentence(tmp_path: Path) -> None:
    url = customers(tmp_path / "c.db")
    refused = refusal(SourceSettings("sql", url=url, query="SELECT * FROM clients"), "id")
    assert refused.message == "The database refused: no such table: clients."
    assert (
        "no SQLite file" in refusal(SourceSettings("sql", url="sqlite:///nowhere.db", query="SELECT 1"), "id").message
    )
    assert not Path("nowhere.db").exists()
    assert "knows no database" in refusal(SourceSettings("sql", url="nosuch://h/d", query="SELECT 1"), "id").message
    with pytest.raises(UserError, match="needs a url"):
        open_source(SourceSettings("sql", url=url))


def test_the_password_in_a_url_is_never_shown() -> None:
    secret = "s3cret-pass"
    url = f"postgresql+psycopg://bank:{secret}@127.0.0.1:1/customers"
    settings = SourceSettings("sql", url=url, query="SELECT 1")
    assert secret not in repr(settings)
    source = open_source(settings)
    assert secret not in source.description
    with pytest.raises(UserError) as refused:
        source.header()
    assert secret not in refused.value.message
    with pytest.raises(UserError) as malformed:
        open_source(SourceSettings("sql", url=f"no url {secret}", query="SELECT 1"))
    assert secret not in malformed.value.message


def test_a_query_streams_from_postgresql(postgres_url: str) -> None:
    numbers = "generate_series(1, 3500) AS number"
    query = f"SELECT number AS id, 'Müller ' || number AS name, DATE '1990-02-28' AS born FROM {numbers}"
    settings = SourceSettings("sql", url=postgres_url, query=query)
    rows = read(settings, "name", "born", "id")
    assert len(rows) == 3500
    assert rows[3499] == ("Müller 3500", "1990-02-28", "3500")


def test_a_files_name_tells_its_type() -> None:
    names = ("a.csv", "a.TSV", "a.txt", "a.parquet", "a.xlsx", "a")
    assert [type_by_name(Path(name)) for name in names] == ["csv", "csv", "csv", "parquet", None, None]
