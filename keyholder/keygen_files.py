"""Key generation by files: every holder puts its messages into a folder that all can read, call after call.

All families of the agreement's terms go on at once. Progress is kept in the holder's home folder and is on disk before
a message leaves. It knows files; what a message must be, keygen_run.py knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from crypto.errors import InvalidKeygenSession
from crypto.keygen import KeygenResult, Progress
from crypto.shares import share_name
from keyholder.keygen_run import KeygenRun, Participant
from policies.documents import write_file
from wire.messages.keygen import KeygenMessage
from wire.messages.message import InvalidMessage, decode_message, encode_message
from wire.packed import InvalidPacked, pack, unpack

PROGRESS_FOLDER = "keygen"
"""The folder within a holder's home that holds its progress, and the encrypted shares from which to recover."""

_LONGEST_FILE = 2 * 2**20


@dataclass(frozen=True)
class Report:
    """How far all families are: those with a key, and for the others the holders whose messages are missing."""

    finished: tuple[str, ...]
    waiting: Mapping[str, tuple[int, ...]]

    @property
    def is_complete(self) -> bool:
        """Whether every family has its key."""
        return not self.waiting


def advance_by_files(
    participant: Participant,
    families: Iterable[str],
    *,
    number: int,
    attempt: int,
    home: Path,
    exchange: Path,
    store_shares: Callable[[Mapping[str, bytes]], None],
) -> Report:
    """Do for every family what the messages in `exchange` allow, and put the own messages there.

    `store_shares` is given the shares that are finished, by their names in the key file, and must have them on disk
    when it returns; only then the public result (`..._key.json`) is written, to `exchange` and to the home folder.
    Calling it again at any time goes on where it stopped. Raises KeygenFault naming the participant that broke the
    protocol, InvalidKeygenSession for files that do not belong here, OSError where a folder cannot be written.
    """
    (home / PROGRESS_FOLDER).mkdir(mode=0o700, parents=True, exist_ok=True)
    finished: list[str] = []
    waiting: dict[str, tuple[int, ...]] = {}
    results: list[tuple[_Files, KeygenResult]] = []
    for family in families:
        files = _Files(KeygenRun(participant, family, number=number, attempt=attempt), participant, home, exchange)
        if files.is_finished():
            finished.append(family)
            continue
        step = files.run.advance(files.read_progress(), files.read_messages())
        files.write_progress(step.progress)
        files.write_messages(step.outgoing)
        if step.result is None:
            waiting[family] = tuple(sender for _, sender in step.missing)
        else:
            results.append((files, step.result))
            finished.append(family)
    if results:
        store_shares({share_name(result.commitments[0]): result.share for _, result in results})
        for files, result in results:
            files.write_result(result)
    return Report(tuple(finished), waiting)


class _Files:
    """Where the files of one run lie: `AGREEMENT_NUMBER_FAMILY_ATTEMPT_` and `round1_holder2.json` or `key.json`."""

    def __init__(self, run: KeygenRun, participant: Participant, home: Path, exchange: Path) -> None:
        self.run = run
        self._exchange = exchange
        self._own = home / PROGRESS_FOLDER
        self._name = _run_name(participant.agreement_id, run.number, run.family, run.attempt)

    def is_finished(self) -> bool:
        """Whether the result has been written at home; then the exchange folder gets it too, if it lost it."""
        own = self._own / f"{self._name}_key.json"
        if not own.exists():
            return False
        self._publish(f"{self._name}_key.json", own.read_text("utf-8"))
        return True

    def read_progress(self) -> Progress | None:
        """The stored progress; None before the first step."""
        path = self._own / f"{self._name}_progress"
        try:
            return Progress.decode(unpack(path.read_text("ascii").strip()))
        except FileNotFoundError:
            return None
        except (InvalidPacked, UnicodeDecodeError):
            raise InvalidKeygenSession(f"{path} is damaged; start another attempt together") from None

    def write_progress(self, progress: Progress) -> None:
        """Keep the progress, on disk when this returns."""
        write_file(self._own / f"{self._name}_progress", pack(progress.encode()) + "\n")

    def read_messages(self) -> list[KeygenMessage]:
        """Every message of this run in the exchange folder, not yet checked."""
        messages = []
        for round_number in (1, 2):
            for sender in range(1, self.run.session.participants + 1):
                path = self._exchange / self._message_name(round_number, sender)
                if path.exists():
                    messages.append(read_message(path))
        return messages

    def write_messages(self, messages: Iterable[KeygenMessage]) -> None:
        """Put the own messages into the exchange folder."""
        for message in messages:
            name = self._message_name(message.round, message.sender)
            self._publish(name, encode_message(message).decode() + "\n")

    def write_result(self, result: KeygenResult) -> None:
        """Write what all may know to both folders, and at home what the share can be recovered from."""
        text = encode_message(self.run.generated_key(result)).decode() + "\n"
        write_file(self._own / f"{self._name}_recovery", pack(result.recovery) + "\n")
        self._publish(f"{self._name}_key.json", text)
        write_file(self._own / f"{self._name}_key.json", text)

    def _publish(self, name: str, text: str) -> None:
        """Write a file to the exchange folder, unless it holds just that; another content there is refused."""
        path = self._exchange / name
        if not path.exists():
            write_file(path, text)
        elif path.read_text("utf-8", errors="replace") != text:
            raise InvalidKeygenSession(f"{path} is there already and holds something else; start another attempt")

    def _message_name(self, round_number: int, sender: int) -> str:
        return _message_name(self._name, round_number, sender)


def message_file_name(message: KeygenMessage) -> str:
    """The name of the file in the exchange folder that holds `message`."""
    name = _run_name(message.agreement_id, message.number, message.family, message.attempt)
    return _message_name(name, message.round, message.sender)


def _run_name(agreement_id: str, number: int, family: str, attempt: int) -> str:
    return f"{agreement_id}_{number}_{family}_{attempt}"  # no id holds "_"


def _message_name(run_name: str, round_number: int, sender: int) -> str:
    return f"{run_name}_round{round_number}_holder{sender}.json"


def read_message(path: Path) -> KeygenMessage:
    """The message in a file; InvalidKeygenSession where it is none, or of another round or holder."""
    try:
        message = decode_message(KeygenMessage, _content(path))
    except InvalidMessage as error:
        raise InvalidKeygenSession(f"{path}: {error}") from None
    if not path.name.endswith(_message_name("", message.round, message.sender)):
        raise InvalidKeygenSession(f"{path} holds the message of another round or holder")
    return message


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(_LONGEST_FILE + 1)
    if len(content) > _LONGEST_FILE:
        raise InvalidKeygenSession(f"{path} is too large to be a file of a key generation")
    return content
