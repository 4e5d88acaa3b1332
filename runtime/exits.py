"""Exit codes of every command, and the one exception that carries a sentence for the person at the keyboard.

Knows no command: what went wrong is said where it is known.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended. Documented for scripts: a number never changes its meaning."""

    OK = 0
    INTERNAL_FAULT = 1
    USAGE = 2
    INPUT_REFUSED = 3
    DOCUMENTS_REFUSED = 4
    KEYS = 5
    UNREACHABLE = 6
    SERVICE_REFUSED = 7
    VERIFICATION_FAILED = 8
    PARTLY_DONE = 9
    BUDGET_SPENT = 10


MEANINGS: dict[ExitCode, str] = {
    ExitCode.OK: "done",
    ExitCode.INTERNAL_FAULT: "a fault in Crosslight itself",
    ExitCode.USAGE: "the command was called wrongly",
    ExitCode.INPUT_REFUSED: "input data refused",
    ExitCode.DOCUMENTS_REFUSED: "settings or signed documents refused",
    ExitCode.KEYS: "keys, key file or passphrase",
    ExitCode.UNREACHABLE: "a service cannot be reached",
    ExitCode.SERVICE_REFUSED: "a service refused the request",
    ExitCode.VERIFICATION_FAILED: "a signature, proof or path did not verify",
    ExitCode.PARTLY_DONE: "done in part: run the command again",
    ExitCode.BUDGET_SPENT: "the evaluation budget is spent",
}


class UserError(Exception):
    """What a person can act on: one sentence saying what was wrong, with what, and what to do.

    The command line prints the message without a traceback and ends with the exit code. Messages hold no secret and
    no identifier.
    """

    def __init__(self, message: str, exit_code: ExitCode = ExitCode.INPUT_REFUSED) -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = exit_code
