"""What the commands of all documents share: options, the merging of copies, the report on signatures.

Knows click and files, and no document's meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from crypto.keyfiles import KeyRing
from policies.documents import SignedDocument, read_document_file, verify_signatures, write_document_file
from policies.errors import DocumentRefused
from policies.home import PartyHome
from policies.library import DocumentLibrary
from policies.trust import Trust
from runtime.console import emit, json_option, read_passphrase

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

existing_file = click.Path(path_type=Path, exists=True, dir_okay=False)
new_file = click.Path(path_type=Path, dir_okay=False)


def home_option(function: Decorated) -> Decorated:
    """Give a command `--home`, the party's folder, passed on as `home: Path`."""
    return click.option(
        "--home",
        type=click.Path(path_type=Path, file_okay=False),
        required=True,
        help="This party's folder: keys.age, card.json, documents/.",
    )(function)


def out_option(function: Decorated) -> Decorated:
    """Give a command `--out`, the file to write, passed on as `out: Path`."""
    return click.option("--out", type=new_file, required=True, help="The file to write; never overwritten.")(function)


def passphrase_reader(passphrase_file: Path | None, *, confirm: bool = False) -> Callable[[], str]:
    """Gives the passphrase when called, asking at most then."""
    return lambda: read_passphrase(passphrase_file, prompt="Passphrase of the key file", confirm=confirm)


def write_new(path: Path, signed: SignedDocument) -> None:
    """Write a document to a file that must not be there yet."""
    refuse_existing(path)
    write_document_file(path, signed)


def refuse_existing(path: Path) -> None:
    """Raise DocumentRefused where the file to be written is there already."""
    if path.exists():
        raise DocumentRefused(f"{path} is there already and is not overwritten.")


@click.command("merge")
@click.argument("file", type=existing_file)
@click.argument("others", nargs=-1, required=True, type=existing_file)
@json_option
def merge_command(file: Path, others: tuple[Path, ...]) -> None:
    """Add to FILE the signatures that other copies of the same document carry."""
    merged = read_document_file(file)
    before = len(merged.signatures)
    for other in others:
        merged = merged.merged(read_document_file(other))
    write_document_file(file, merged)
    count = len(merged.signatures)
    emit(
        {"file": str(file), "hash": merged.hash.hex(), "signatures": sorted(merged.signatures)},
        f"{file} carries {count} signatures now, {count - before} of them new.",
    )


def trust_of(home: Path) -> Trust:
    """What a party's documents give; raises DocumentRefused where nothing is pinned."""
    return DocumentLibrary.of_home(home).trust()


def signature_report(signed: SignedDocument, keys: Mapping[str, bytes]) -> dict[str, Any]:
    """Whose signatures hold and whose do not, for `--json`."""
    valid = verify_signatures(signed, keys)
    return {"hash": signed.hash.hex(), "valid": sorted(valid), "missing": sorted(set(keys) - valid)}


def sign_file(
    file: Path, signed: SignedDocument, home: PartyHome, purpose: str, ring: KeyRing, under: bytes | None = None
) -> None:
    """Add the party's signature for `purpose` to the document, write it back to its file, and say so.

    `under` is the public key (32 bytes) that it must hold under, where that may be an earlier one of the party.
    """
    signed = home.sign(signed, purpose, ring, under)
    write_document_file(file, signed)
    emit(
        {"file": str(file), "hash": signed.hash.hex(), "party_id": home.card.party_id},
        f"{home.card.party_id} has signed {file}, hash {signed.hash.hex()}.",
    )


class Moment(click.ParamType[int]):
    """A time: a day (its beginning, UTC), a day and time in UTC, or Unix seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Unix seconds."""
        if isinstance(value, int):
            return value
        if str(value).isascii() and str(value).isdigit():
            return int(value)
        try:
            read = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no time: write 2026-01-31, 2026-01-31T12:00, or Unix seconds", param, ctx)
        return int((read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp())


class Digest(click.ParamType[bytes]):
    """A 32-byte hash in hexadecimal; spaces between groups are allowed."""

    name = "hash"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        """The 32 bytes."""
        if isinstance(value, bytes):
            return value
        try:
            digest = bytes.fromhex("".join(str(value).split()))
        except ValueError:
            digest = b""
        if len(digest) != 32:
            self.fail("a hash is 64 hexadecimal digits", param, ctx)
        return digest
