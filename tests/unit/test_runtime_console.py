"""The command line: one sentence for each failure, its exit code, and no traceback."""

import json
from pathlib import Path

import click
import pytest

from crypto.errors import InvalidProof, WrongPassphrase
from runtime import console
from runtime.exits import MEANINGS, ExitCode, UserError
from runtime.progress import line_progress, progress_line


@click.group()
def group() -> None:
    """A group."""


@group.command()
@click.argument("what")
@console.json_option
@console.progress_option
def act(what: str) -> None:
    """Do what is asked."""
    failures: dict[str, BaseException] = {
        "user": UserError("The file a.csv has no column phone: name it in the mapping.", ExitCode.INPUT_REFUSED),
        "passphrase": WrongPassphrase("the passphrase does not open keys.age"),
        "proof": InvalidProof("holder 2 lied"),
        "fault": RuntimeError("+44 7700 900123"),
        "interrupt": KeyboardInterrupt(),
        "file": FileNotFoundError(2, "No such file or directory", "x.csv"),
    }
    if what in failures:
        raise failures[what]
    console.say("a remark")
    console.emit({"done": what}, lambda: f"done: {what}")


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["act", "user"], ExitCode.INPUT_REFUSED, "no column phone"),
        (["act", "passphrase"], ExitCode.KEYS, "does not open"),
        (["act", "proof"], ExitCode.VERIFICATION_FAILED, "holder 2 lied"),
        (["act", "fault"], ExitCode.INTERNAL_FAULT, "RuntimeError"),
        (["act", "interrupt"], ExitCode.PARTLY_DONE, "Interrupted"),
        (["act", "file"], ExitCode.INTERNAL_FAULT, "x.csv"),
        (["act"], ExitCode.USAGE, "Missing argument"),
        (["act", "x", "--nope"], ExitCode.USAGE, "No such option"),
        (["nothing"], ExitCode.USAGE, "No such command"),
    ],
)
def test_a_failure_is_one_sentence_on_standard_error(
    arguments: list[str], code: ExitCode, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert console.run_command(group, arguments) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert text in printed.err
    # click ends the line of a ^C first.
    assert printed.err.strip().count("\n") == 0
    assert "Traceback" not in printed.err and "900123" not in printed.err


def test_under_json_results_and_errors_are_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert console.run_command(group, ["act", "work", "--json"]) == ExitCode.OK
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {"done": "work"}
    assert printed.err == ""
    assert console.run_command(group, ["act", "user", "--json"]) == ExitCode.INPUT_REFUSED
    printed = capsys.readouterr()
    assert json.loads(printed.err)["exit_code"] == ExitCode.INPUT_REFUSED
    assert printed.out == ""


def test_without_json_the_text_is_printed_and_remarks_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert console.run_command(group, ["act", "work"]) == ExitCode.OK
    printed = capsys.readouterr()
    assert printed.out == "done: work\n"
    assert printed.err == "a remark\n"


def test_help_ends_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert console.run_command(group, ["act", "--help"]) == ExitCode.OK
    assert "--json" in capsys.readouterr().out
    assert console.run_command(group, []) == ExitCode.USAGE


def test_every_exit_code_has_a_meaning() -> None:
    assert set(MEANINGS) == set(ExitCode)


def test_a_passphrase_file_must_be_private(tmp_path: Path) -> None:
    path = tmp_path / "passphrase"
    path.write_text("correct horse\n")
    for mode in (0o600, 0o400):
        path.chmod(mode)
        assert console.read_passphrase(path) == "correct horse"
    for mode in (0o640, 0o604, 0o700, 0o666):
        path.chmod(mode)
        with pytest.raises(UserError, match="chmod 600") as caught:
            console.read_passphrase(path)
        assert caught.value.exit_code == ExitCode.KEYS
        assert "correct" not in str(caught.value)


def test_a_passphrase_comes_from_the_file_then_the_variable_then_the_prompt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "passphrase"
    path.touch(0o600)
    path.write_text("from the file")
    monkeypatch.setenv("CROSSLIGHT_PASSPHRASE", "from the variable")
    assert console.read_passphrase(path) == "from the file"
    assert console.read_passphrase() == "from the variable"
    monkeypatch.delenv("CROSSLIGHT_PASSPHRASE")
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with pytest.raises(UserError, match="No passphrase"):
        console.read_passphrase()


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff", b"x" * 70000])
def test_an_empty_or_unreadable_passphrase_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "passphrase"
    path.touch(0o600)
    path.write_bytes(content)
    with pytest.raises(UserError):
        console.read_passphrase(path)
    with pytest.raises(UserError, match="cannot be read"):
        console.read_passphrase(tmp_path / "missing")


@pytest.mark.parametrize(
    ("done", "total", "elapsed", "line"),
    [
        (1200, 10000, 4.0, "x: 1200 of 10000 (12%), 300/s, 0:29 left"),
        (0, 10, 0.0, "x: 0 of 10 (0%), 0/s"),
        (10, 10, 1.0, "x: 10 of 10 (100%), 10/s"),
        (7, None, 1.0, "x: 7, 7/s"),
        (0, 0, 1.0, "x: 0 of 0 (100%), 0/s"),
    ],
)
def test_progress_says_rate_and_time_left(done: int, total: int | None, elapsed: float, line: str) -> None:
    assert progress_line("x", done, total, elapsed) == line


def test_progress_is_silent_off_a_terminal_unless_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    with console.progress(2, "blinding") as steps:
        steps.advance(2)
    assert capsys.readouterr().err == ""
    with line_progress(2, "blinding") as steps:
        steps.advance(2)
    assert capsys.readouterr().err.startswith("blinding: 2 of 2 (100%)")


HOSTILE = "red \x1b[31m, back \x1b[2J, C1 \x9b2J, reversed \u202eabc, bell \a, Müller 张\n\tstays"


@pytest.mark.parametrize("error", [False, True])
def test_what_others_wrote_moves_no_cursor_of_the_terminal(error: bool, capsys: pytest.CaptureFixture[str]) -> None:
    @click.command()
    @console.json_option
    def show() -> None:
        """Show another party's words."""
        if error:
            raise UserError(HOSTILE)
        console.say(HOSTILE)
        console.emit({"words": HOSTILE}, HOSTILE)

    for arguments in ([], ["--json"]):
        console.run_command(show, arguments)
        printed = capsys.readouterr()
        for text in (printed.out, printed.err):
            assert not [each for each in text if not (each.isprintable() or each in "\n\t")]
        if arguments and not error:
            assert json.loads(printed.out) == {"words": HOSTILE}
        elif not arguments:
            assert "Müller 张\n\tstays" in printed.err
