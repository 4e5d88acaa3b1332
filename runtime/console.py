"""Command-line conventions: what a command prints, how it reports progress, asks for a passphrase and fails.

Results go to standard output, everything else to standard error. Knows no command and no party.
"""

import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from crypto.errors import CryptoError, InvalidKeyFile, WrongPassphrase
from runtime.exits import ExitCode, UserError
from runtime.progress import Progress, line_progress, silent_progress, terminal_progress

_JSON_OPTION = "--json"
_OUTPUT_KEY = "runtime.console.json"
_PROGRESS_KEY = "runtime.console.progress"
PASSPHRASE_VARIABLE = "CROSSLIGHT_PASSPHRASE"  # noqa: S105  (the name of a variable, not a passphrase)
TRACEBACK_VARIABLE = "CROSSLIGHT_TRACEBACK"

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def _remember(key: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    def callback(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
        context.meta[key] = value
        return value

    return callback


def json_option(function: Decorated) -> Decorated:
    """Give a command `--json`: results as one JSON value on standard output, errors as JSON on standard error."""
    return click.option(
        _JSON_OPTION,
        is_flag=True,
        expose_value=False,
        callback=_remember(_OUTPUT_KEY),
        help="Print the result as JSON alone on standard output (and an error as JSON on standard error).",
    )(function)


def progress_option(function: Decorated) -> Decorated:
    """Give a command `--progress/--no-progress`; without either, progress shows on a terminal only."""
    return click.option(
        "--progress/--no-progress",
        default=None,
        expose_value=False,
        callback=_remember(_PROGRESS_KEY),
        help="Show progress on standard error even where it is no terminal, or never.",
    )(function)


def passphrase_option(function: Decorated) -> Decorated:
    """Give a command `--passphrase-file`, passed on as `passphrase_file: Path | None` for `read_passphrase`."""
    return click.option(
        "--passphrase-file",
        type=click.Path(path_type=Path, dir_okay=False),
        default=None,
        help=f"File of mode 0600 that holds the key file's passphrase (else {PASSPHRASE_VARIABLE}, else a prompt).",
    )(function)


def wants_json() -> bool:
    """Tell whether the running command was called with `--json`."""
    context = click.get_current_context(silent=True)
    return bool(context and context.meta.get(_OUTPUT_KEY))


def emit(data: object, text: str | Callable[[], str]) -> None:
    """Print a command's result on standard output: `data` as JSON under `--json`, else `text`.

    `text` may be a function, called only when needed.
    """
    if wants_json():
        click.echo(
            _without_controls(json.dumps(data, ensure_ascii=False, indent=2), lambda each: json.dumps(each)[1:-1])
        )
    else:
        click.echo(_without_controls(text() if callable(text) else text))


def say(text: str) -> None:
    """Print a remark to the person on standard error; silent under `--json`."""
    if not wants_json():
        click.echo(_without_controls(text), err=True)


def _without_controls(text: str, instead: Callable[[str], str] = lambda _: "\N{REPLACEMENT CHARACTER}") -> str:
    """`text` fit for a terminal: what others wrote moves no cursor and reverses no line (but lines may end)."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each in "\n\t\N{NO-BREAK SPACE}" else instead(each) for each in text)


@contextmanager
def progress(total: int | None, label: str) -> Iterator[Progress]:
    """Report progress on standard error, with rate and time left, while the block runs.

    `total` is the number of steps, or None when it is not known. The block calls `.advance(n)`. Shown on a terminal,
    or where the command was called with `--progress` (then as plain lines, one every two seconds at most).
    """
    context = click.get_current_context(silent=True)
    asked = context.meta.get(_PROGRESS_KEY) if context else None
    if sys.stderr.isatty() and asked is not False and not wants_json():
        reporter = terminal_progress
    elif asked:
        reporter = line_progress
    else:
        reporter = silent_progress
    with reporter(total, label) as running:
        yield running


def read_passphrase(path: Path | None = None, *, prompt: str = "Passphrase", confirm: bool = False) -> str:
    """Return the passphrase: from the file `path`, else from CROSSLIGHT_PASSPHRASE, else asked for at the terminal.

    The file must be of mode 0600 or 0400; one final line break is not part of the passphrase. Raises UserError (exit
    code 5) with the fix.
    """
    if path is not None:
        passphrase = _passphrase_from_file(path)
    elif PASSPHRASE_VARIABLE in os.environ:
        passphrase = os.environ[PASSPHRASE_VARIABLE]
    elif sys.stdin.isatty():
        passphrase = click.prompt(prompt, hide_input=True, confirmation_prompt=confirm, err=True)
    else:
        raise UserError(
            f"No passphrase: give --passphrase-file, set {PASSPHRASE_VARIABLE}, or run the command at a terminal.",
            ExitCode.KEYS,
        )
    if not passphrase:
        raise UserError("The passphrase is empty: give one of at least one character.", ExitCode.KEYS)
    return passphrase


def _passphrase_from_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode & 0o777
            content = file.read(65537)
    except OSError as error:
        raise UserError(f"The passphrase file {path} cannot be read: {error.strerror}.", ExitCode.KEYS) from None
    if mode & 0o177:
        raise UserError(
            f"The passphrase file {path} has mode {mode:04o}, others could read it: run chmod 600 {path}.",
            ExitCode.KEYS,
        )
    if len(content) > 65536:
        raise UserError(f"The passphrase file {path} is longer than 65536 bytes.", ExitCode.KEYS)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise UserError(f"The passphrase file {path} is not UTF-8 text.", ExitCode.KEYS) from None
    return text.removesuffix("\n").removesuffix("\r")


def run_command(command: click.Command, arguments: Sequence[str] | None = None) -> int:
    """Run a click command or group and return the process's exit code; print every failure as one sentence.

    A traceback is printed only for a fault of the program's own and only where CROSSLIGHT_TRACEBACK is set, since it
    may quote data.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    as_json = _JSON_OPTION in given
    try:
        result = command.main(args=given, prog_name="crosslight", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return ExitCode.USAGE
    except click.UsageError as error:
        where = f" (see {error.ctx.command_path} --help)" if error.ctx is not None else ""
        return _fail(f"{error.format_message().rstrip('.')}{where}.", ExitCode.USAGE, as_json)
    except click.ClickException as error:
        return _fail(error.format_message(), ExitCode.USAGE, as_json)
    except (click.Abort, KeyboardInterrupt):
        return _fail("Interrupted.", ExitCode.PARTLY_DONE, as_json)
    except UserError as error:
        return _fail(error.message, error.exit_code, as_json)
    except (WrongPassphrase, InvalidKeyFile) as error:
        return _fail(str(error), ExitCode.KEYS, as_json)
    except CryptoError as error:
        return _fail(str(error) or type(error).__name__, ExitCode.VERIFICATION_FAILED, as_json)
    except BrokenPipeError:
        # The reader of our output went away (a pager, `head`); there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except Exception as error:  # noqa: BLE001  (the outermost frame: everything ends as one sentence)
        return _internal_fault(error, as_json)
    return result if isinstance(result, int) and not isinstance(result, bool) else ExitCode.OK


def _internal_fault(error: Exception, as_json: bool) -> int:
    if os.environ.get(TRACEBACK_VARIABLE):
        traceback.print_exception(error)
    if isinstance(error, OSError):
        name = f" ({error.filename})" if error.filename is not None else ""
        return _fail(f"The operating system refused: {error.strerror}{name}.", ExitCode.INTERNAL_FAULT, as_json)
    return _fail(
        f"A fault in Crosslight itself ({type(error).__name__}): set {TRACEBACK_VARIABLE}=1 to see where it is.",
        ExitCode.INTERNAL_FAULT,
        as_json,
    )


def _fail(message: str, exit_code: ExitCode, as_json: bool) -> int:
    if as_json:
        click.echo(json.dumps({"error": message, "exit_code": int(exit_code)}), err=True)
    else:
        click.echo(_without_controls(f"crosslight: {message}"), err=True)
    return int(exit_code)
