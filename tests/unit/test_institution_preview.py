"""`crosslight institution init` and `preview`: what would be sent is shown, counted and kept on this machine."""

import json
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from clients.institution.commands import institution
from clients.institution.distinct import DistinctCounter
from clients.institution.mapping_file import load_mapping
from clients.institution.preview import preview
from clients.institution.rows import read_rows
from clients.institution.settings import InstitutionSettings, read_settings
from policies.documents import write_json_file
from policies.library import DocumentLibrary
from policies.party_keys import CARD_FILE
from runtime.console import run_command
from runtime.exits import ExitCode, UserError
from runtime.progress import silent_progress
from runtime.settings import describe
from tests.agreement_world import World, example_terms, make_world

CUSTOMERS = """\
id,given_name,family_name,date_of_birth,phone,email,flagged,note
17,Jürgen,Müller,1971-12-01,07700 900123,j.m@example.org,yes,first
18,Anna,Example,1990-02-28,unknown,not an address,yes,
19,Ola,Nordmann,1980-12-12,07700 900124,o@example.org,no,
20,,,,,,yes,
21,Juergen,Mueller,01.12.1971,+44 7700 900123,,yes,second
"""
SECRETS = ("7700", "Anna", "anna", "Müller", "muller", "1971", "not an address", "example.org")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder with a mapping that `init` proposed for five customers."""
    (tmp_path / "customers.csv").write_text(CUSTOMERS, "utf-8")
    place = tmp_path / "home"
    assert run("init", str(tmp_path / "customers.csv"), "--home", str(place), "--region", "GB")[0] == 0
    return place


@pytest.fixture(scope="module")
def world() -> World:
    """An agreement whose members may have 10 identifiers of each family evaluated, give or take."""
    return make_world(example_terms(), declared=1)


def run(*arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command."""
    outcome: list[int] = []
    with CliRunner().isolation() as streams:
        outcome.append(run_command(institution, arguments))
        return outcome[0], streams[0].getvalue().decode(), streams[1].getvalue().decode()


def previewed(home: Path, *options: str) -> dict[str, Any]:
    """The preview as JSON."""
    code, output, errors = run("preview", "--home", str(home), "--json", *options)
    assert (code, errors) == (0, "")
    data: dict[str, Any] = json.loads(output)
    return data


def pinned(home: Path, world: World) -> Path:
    """The home with the agreement's documents and bank-a's card."""
    library = DocumentLibrary.of_home(home)
    library.pin(world.agreement, world.agreement.hash)
    library.accept_all([world.epoch, world.roster])
    write_json_file(home / CARD_FILE, world.parties["bank-a"].card.to_document())
    return home


def test_rows_are_counted_and_shown_without_a_value(home: Path) -> None:
    data = previewed(home)
    counts = {name: data[name] for name in ("rows", "sent", "filtered", "unmatchable", "too_large")}
    assert counts == {"rows": 5, "sent": 3, "filtered": 1, "unmatchable": 1, "too_large": 0}
    person = {"identifiers": 3, "distinct": 2, "placeholders": 0, "rejected": []}
    assert data["kinds"]["person.name-birthdate"] == person
    assert data["kinds"]["phone"] == {"identifiers": 2, "distinct": 1, "placeholders": 1, "rejected": []}
    refused = [{"column": "email", "reason": "format", "count": 1}]
    assert data["kinds"]["email"] == {"identifiers": 1, "distinct": 1, "placeholders": 0, "rejected": refused}
    assert data["shown"][1] == {
        "row": 2,
        "fate": "sent",
        "blinded": ["person.name-birthdate"],
        "sealed": ["record_id"],
        "indicators": [],
        "rejected": [{"kind": "email", "column": "email", "reason": "format"}],
        "placeholders": [{"kind": "phone", "column": "phone"}],
    }
    assert [row["fate"] for row in data["shown"]] == ["sent", "sent", "filtered", "no-identifier", "sent"]
    assert "budgets" not in data


def test_no_value_is_printed_unless_asked_for(home: Path) -> None:
    for options in ((), ("--json",)):
        code, output, errors = run("preview", "--home", str(home), *options)
        assert code == 0
        assert not [secret for secret in SECRETS if secret in output + errors]
    shown = run("preview", "--home", str(home), "--show-values")[1]
    for text in ("jurgen muller|1971-12-01", "+447700900123", "'not an address'", "'unknown'"):
        assert text in shown
    data = previewed(home, "--show-values")
    assert data["shown"][1]["values"] == ["anna example|1990-02-28"]
    assert data["shown"][1]["cells"] == {"email": "not an address", "phone": "unknown"}
    assert "values" not in data["shown"][2]


def test_the_limit_bounds_what_is_shown_and_not_what_is_counted(home: Path) -> None:
    assert [len(previewed(home, "--limit", str(limit))["shown"]) for limit in (0, 2, 99)] == [0, 2, 5]
    assert previewed(home, "--limit", "0")["rows"] == 5
    assert "... and 3 more rows" in run("preview", "--home", str(home), "--limit", "2")[1]


def test_counts_stand_against_the_budget_and_the_published_coverage(home: Path, world: World) -> None:
    data = previewed(pinned(home, world))
    budgets = {each["family"]: each for each in data["budgets"]}
    assert budgets["phone"] == {"family": "phone", "distinct": 1, "budget": 4}
    assert budgets["person"] == {"family": "person", "distinct": 2, "budget": 4}
    coverage = next(each for each in data["coverage"] if each["kind"] == "phone")
    assert coverage == {"kind": "phone", "budgets": 16, "identifier_space": 8 * 10**9, "share": 2e-9}
    text = run("preview", "--home", str(home))[1]
    assert "person                             2 of 4, fits" in text
    assert "phone: 16 of 8,000,000,000 identifiers" in text


def test_too_many_identifiers_for_the_budget_are_said_so(home: Path, world: World, tmp_path: Path) -> None:
    rows = "".join(f"{number},A{'b' * number},B,1990-02-28,,,yes,\n" for number in range(9))
    (tmp_path / "customers.csv").write_text(CUSTOMERS.splitlines()[0] + "\n" + rows)
    assert "9 of 4, 5 too many: those would not be evaluated" in run("preview", "--home", str(pinned(home, world)))[1]


def test_a_payload_that_does_not_fit_stays_here(home: Path, world: World, tmp_path: Path) -> None:
    (tmp_path / "customers.csv").write_text(CUSTOMERS.replace("second", "s" * 2000), "utf-8")
    data = previewed(pinned(home, world))
    assert (data["sent"], data["too_large"], data["shown"][4]["fate"]) == (2, 1, "too-large")
    assert "larger than the agreement's padded size" in run("preview", "--home", str(home))[1]


def test_a_mapping_that_the_agreement_does_not_allow_is_refused(home: Path, world: World) -> None:
    pinned(home, world)
    mapping = home / "mapping.toml"
    mapping.write_text(mapping.read_text().replace("note = ", "salary = "))
    code, output, errors = run("preview", "--home", str(home), "--json")
    assert (code, output) == (ExitCode.DOCUMENTS_REFUSED, "")
    assert "the payload field salary is not in the agreement" in json.loads(errors)["error"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "customers.csv is empty"),
        ("id,given_name,family_name,date_of_birth,phone,email,flagged,note\n", "has a header but 0 rows"),
        ("id,given_name\n1,a\n", "has no column 'phone', which the mapping names"),
    ],
)
def test_bad_input_is_one_sentence_and_the_exit_code_for_data(
    home: Path, tmp_path: Path, content: str, message: str
) -> None:
    (tmp_path / "customers.csv").write_text(content)
    code, output, errors = run("preview", "--home", str(home))
    assert (code, output) == (ExitCode.INPUT_REFUSED, "")
    assert message in errors
    assert len(errors.splitlines()) == 1


def test_init_writes_what_preview_reads_and_never_overwrites(home: Path, tmp_path: Path) -> None:
    before = (home / "mapping.toml").read_bytes()
    code, _, errors = run("init", str(tmp_path / "customers.csv"), "--home", str(home))
    assert code == ExitCode.USAGE
    assert "is never overwritten" in errors
    assert (home / "mapping.toml").read_bytes() == before


def test_init_in_a_pinned_home_proposes_only_what_the_agreement_has(tmp_path: Path) -> None:
    (tmp_path / "customers.csv").write_text(CUSTOMERS, "utf-8")
    home = tmp_path / "home"
    home.mkdir()
    world = make_world(example_terms(fields=["record_id"]))
    pinned(home, world)
    assert run("init", str(tmp_path / "customers.csv"), "--home", str(home))[0] == 0
    assert load_mapping(home / "mapping.toml").payload == {"record_id": "id"}
    assert run("preview", "--home", str(home))[0] == 0


def test_a_preview_opens_no_connection_and_loads_no_network_client(home: Path) -> None:
    program = f"""
import sys
def refuse(event, arguments):
    if event.startswith("socket."):
        raise SystemExit(f"the preview reached for the network: {{event}}")
sys.addaudithook(refuse)
from cli.main import crosslight
crosslight.main(["institution", "preview", "--home", {str(home)!r}], standalone_mode=False)
loaded = {{"httpx", "http_message_signatures", "wire.session", "clients.institution.sync_commands"}} & set(sys.modules)
sys.exit(f"loaded: {{loaded}}" if loaded else 0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Nothing has left this machine." in done.stdout


def test_memory_stays_flat_over_many_rows(tmp_path: Path) -> None:
    with (tmp_path / "c.csv").open("w") as file:
        file.write("id,plate\n")
        file.writelines(f"{number},AB{number:06d}\n" for number in range(20_000))
    text = (
        '[source]\npath = "c.csv"\n[row]\nid = "id"\n[defaults]\ncountry = "GB"\n[columns]\nvehicle-plate = "plate"\n'
    )
    (tmp_path / "mapping.toml").write_text(text + "[filter]\nall_rows = true\n")
    mapping = load_mapping(tmp_path / "mapping.toml")
    tracemalloc.start()
    with silent_progress(None, "") as progress:
        found = preview(read_rows(mapping), mapping, None, limit=5, show_values=False, progress=progress)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.sent == 20_000
    assert abs(found.kinds["vehicle-plate"].distinct.count - 20_000) <= 40
    assert peak < 8 << 20


def test_distinct_values_are_counted_whatever_their_order_and_number() -> None:
    counter = DistinctCounter()
    for value in [*"abcabc", *map(str, range(1000)), *map(str, range(1000))]:
        counter.add(value)
    assert abs(counter.count - 1003) <= 1


def test_settings_are_read_from_the_home_and_every_one_is_explained(tmp_path: Path) -> None:
    assert read_settings(tmp_path, {}).mapping == tmp_path / "mapping.toml"
    (tmp_path / "institution.toml").write_text('mapping = "rules/bank.toml"\ntimeout = 5\n')
    settings = read_settings(tmp_path, {})
    assert (settings.mapping, settings.timeout) == (tmp_path / "rules" / "bank.toml", 5.0)
    assert all(each.help for each in describe(InstitutionSettings))
    (tmp_path / "institution.toml").write_text("maping = 1\n")
    with pytest.raises(UserError, match="unknown setting 'maping'"):
        read_settings(tmp_path, {})


def test_the_help_lists_every_command_and_loads_none_that_speaks_to_others() -> None:
    code, output, _ = run("--help")
    assert code == 0
    for name in ("init", "preview", "sync", "status", "withdraw", "rotate-key"):
        assert f"\n  {name} " in output
