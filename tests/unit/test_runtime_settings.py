"""Settings: from a file and variables, everything unknown refused with its name."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from runtime.exits import ExitCode, UserError
from runtime.settings import describe, load_settings, setting


@dataclass(frozen=True)
class Example:
    """Settings of no program."""

    home: Path = setting("Folder of keys and documents.")
    database_url: str = setting("Where the data is.", secret=True, default="sqlite:///x")
    workers: int = setting("Processes.", default=2)
    ratio: float = setting("A share.", default=0.5)
    verbose: bool = setting("Say more.", default=False)
    peers: tuple[str, ...] = setting("Others.", default=())
    certfile: Path | None = setting("Certificate.", default=None)


def write(folder: Path, text: str) -> Path:
    path = folder / "example.toml"
    path.write_text(text)
    return path


def test_a_file_and_variables_are_read_and_variables_win(tmp_path: Path) -> None:
    path = write(tmp_path, 'home = "keys"\nworkers = 3\nratio = 1\npeers = ["a", "b"]\n[source]\nx = 1\n')
    environ = {
        "CROSSLIGHT_WORKERS": "4",
        "CROSSLIGHT_VERBOSE": "true",
        "CROSSLIGHT_PASSPHRASE": "x",
        "HOME": "/root",
        "CROSSLIGHT_CERTFILE": "cert.pem",
    }
    settings = load_settings(Example, path, environ, other_tables=("source",))
    assert settings == Example(
        home=tmp_path / "keys", workers=4, ratio=1.0, verbose=True, peers=("a", "b"), certfile=tmp_path / "cert.pem"
    )


def test_variables_alone_suffice() -> None:
    settings = load_settings(Example, None, {"CROSSLIGHT_HOME": "/srv/x", "CROSSLIGHT_PEERS": "a, b"})
    assert (settings.home, settings.peers) == (Path("/srv/x"), ("a", "b"))


@pytest.mark.parametrize(
    ("text", "environ", "named"),
    [
        ("homes = 'x'", {}, "homes"),
        ("home = 1", {}, "home"),
        ("home = 'x'\nworkers = true", {}, "workers"),
        ("home = 'x'\nworkers = '2'", {}, "workers"),
        ("home = 'x'\npeers = 'a'", {}, "peers"),
        ("home = 'x'\n[source]\na = 1", {}, "source"),
        ("", {}, "home"),
        ("home =", {}, "TOML"),
        ("home = 'x'", {"CROSSLIGHT_WORKER": "2"}, "CROSSLIGHT_WORKER"),
        ("home = 'x'", {"CROSSLIGHT_workers": "2"}, "CROSSLIGHT_workers"),
        ("home = 'x'", {"CROSSLIGHT_WORKERS": "two"}, "CROSSLIGHT_WORKERS"),
        ("home = 'x'", {"CROSSLIGHT_VERBOSE": "perhaps"}, "CROSSLIGHT_VERBOSE"),
    ],
)
def test_what_is_unknown_missing_or_of_another_type_is_refused_by_name(
    tmp_path: Path, text: str, environ: dict[str, str], named: str
) -> None:
    with pytest.raises(UserError, match=named) as caught:
        load_settings(Example, write(tmp_path, text), environ)
    assert caught.value.exit_code == ExitCode.DOCUMENTS_REFUSED


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        load_settings(Example, tmp_path / "none.toml", {})


def test_secret_settings_stay_out_of_repr() -> None:
    assert "hunter2" not in repr(Example(home=Path("x"), database_url="postgresql://u:hunter2@h/d"))


def test_every_setting_describes_itself() -> None:
    described = {setting.name: setting for setting in describe(Example)}
    assert described["home"].default is None
    assert described["workers"].variable == "CROSSLIGHT_WORKERS"
    assert described["peers"].type == "a list of text"
    assert described["certfile"].type == "a path"

    @dataclass(frozen=True)
    class Undocumented:
        x: int = 1

    with pytest.raises(ValueError, match="no help"):
        describe(Undocumented)
