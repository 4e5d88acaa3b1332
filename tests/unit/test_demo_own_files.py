"""Own files in the demonstration: under the mappings written for them equal things meet, whatever the columns."""

from pathlib import Path

from clients.institution.mapping_file import parse_mapping
from clients.institution.prepare import prepare_row
from clients.institution.rows import read_rows
from demo.own_files import OwnFile, mapping_toml, read_folder, region_of


def folder_with(tmp_path: Path, **files: str) -> list[OwnFile]:
    """The files of a folder."""
    for name, content in files.items():
        (tmp_path / f"{name}.csv").write_text(content, "utf-8")
    return read_folder(tmp_path)


def identifiers(own: OwnFile, files: list[OwnFile]) -> list[set[tuple[str, str]]]:
    """What each row of a file makes under the mapping that is written for it."""
    mapping = parse_mapping(mapping_toml(own, region=region_of(own, files)), own.path.with_name("mapping.toml"), {})
    return [
        {(each.kind, each.value) for each in prepare_row(row, mapping, None).identifiers} for row in read_rows(mapping)
    ]


def test_documents_meet_whether_or_not_a_file_has_a_country(tmp_path: Path) -> None:
    files = folder_with(
        tmp_path,
        a="id,passport,national_id,plate,country\n1,c01x 00t47,440514 01358,AB12 CDE,Poland\n",
        b="id,passport,national_id,plate\n9,C01X00T47,44051401358,ab12cde\n",
    )
    [one], [other] = (identifiers(own, files) for own in files)
    assert one == other
    assert {kind for kind, _ in one} == {"passport", "national-id", "vehicle-plate"}


def test_the_country_of_national_numbers_is_found_in_all_files_together(tmp_path: Path) -> None:
    files = folder_with(
        tmp_path,
        a="id,phone\n1,+44 7700 900123\n2,+44 7700 900124\n3,+447700900125\n",
        b="id,phone\n9,07700 900123\n",
    )
    assert [region_of(own, files) for own in files] == ["GB", "GB"]
    assert identifiers(files[1], files)[0] <= identifiers(files[0], files)[0]


def test_a_files_own_numbers_count_before_the_others(tmp_path: Path) -> None:
    files = folder_with(
        tmp_path,
        a="id,phone\n" + "".join(f"{number},+44 7700 90012{number}\n" for number in range(9)),
        b="id,iban,phone\n" + "".join(f"{number},DE89370400440532013000,0151 1234567{number}\n" for number in range(3)),
    )
    assert [region_of(own, files) for own in files] == ["GB", "DE"]
    assert ("phone", "+4915112345672") in identifiers(files[1], files)[2]


def test_numbers_of_a_country_that_nothing_tells_meet_all_the_same(tmp_path: Path) -> None:
    files = folder_with(tmp_path, a="id,phone\n1,(555) 123-4567\n", b="id,phone\n9,555 1234567\n")
    assert [region_of(own, files) for own in files] == ["ZZ", "ZZ"]
    assert identifiers(files[0], files) == identifiers(files[1], files) == [{("phone", "ZZ|5551234567")}]


def test_a_country_that_is_none_does_not_spoil_an_international_number(tmp_path: Path) -> None:
    files = folder_with(
        tmp_path, a="id,phone,country\n1,+44 7700 900123,Atlantis\n", b="id,phone\n9,0044 7700 900123\n"
    )
    assert identifiers(files[0], files) == identifiers(files[1], files) == [{("phone", "+447700900123")}]


def test_a_handle_without_a_platform_is_taken(tmp_path: Path) -> None:
    files = folder_with(tmp_path, a="id,handle\n1,@Anna.E\n", b="id,handle\n9,anna.e\n")
    assert identifiers(files[0], files) == identifiers(files[1], files) == [{("web-handle", "any:anna.e")}]
