"""A party's key file: named secrets as JSON inside age's passphrase encryption, readable by its owner alone.

Others can open it with the age tools. Deriving the key costs about a second of CPU by design, so a program reads its
one file once. Nothing here knows what a name's secret is for.
"""

from __future__ import annotations

import json
import os
import stat
import tempfile
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyrage

from crypto.errors import InvalidKeyFile, WrongPassphrase

_TYPE = "crosslight/v1 keys"
_ALLOWED_MODES = (0o600, 0o400)
_SIZE_LIMIT = 1 << 20

_TOO_MUCH_WORK = "Excessive work"
_ATTEMPTS = 8
"""age measures how fast the machine is before it derives a key, in milliseconds: on a busy one it measures anything."""


class KeyRing(Mapping[str, bytes]):
    """Named secrets, as read from a key file. Neither repr nor a missing name's error shows any of them."""

    __slots__ = ("_secrets",)

    def __init__(self, secrets: Mapping[str, bytes]) -> None:
        self._secrets = dict(secrets)

    def __getitem__(self, name: str) -> bytes:
        try:
            return self._secrets[name]
        except KeyError:
            raise InvalidKeyFile(f"the key file holds no key named {name!r}") from None

    def __contains__(self, name: object) -> bool:
        return name in self._secrets

    def __iter__(self) -> Iterator[str]:
        return iter(self._secrets)

    def __len__(self) -> int:
        return len(self._secrets)

    def __repr__(self) -> str:
        return f"KeyRing({len(self._secrets)} keys)"

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a key ring is never pickled")

    def with_secrets(self, added: Mapping[str, bytes]) -> KeyRing:
        """A ring that also holds `added`, whose secrets take the place of those of the same name."""
        return KeyRing({**self._secrets, **added})

    def without(self, *names: str) -> KeyRing:
        """A ring that no longer holds `names`."""
        return KeyRing({name: secret for name, secret in self._secrets.items() if name not in names})


def write_key_file(path: Path, secrets: Mapping[str, bytes], passphrase: str) -> None:
    """Write `secrets` to `path` under `passphrase`: mode 0600, all at once or not at all, on disk when it returns.

    Raises InvalidKeyFile on an empty passphrase, OSError where the folder cannot be written.
    """
    if not passphrase:
        raise InvalidKeyFile("a key file needs a passphrase that is not empty")
    named = {name: urlsafe_b64encode(secret).rstrip(b"=").decode("ascii") for name, secret in sorted(secrets.items())}
    plain = json.dumps({"type": _TYPE, "secrets": named}, sort_keys=True, separators=(",", ":")).encode("utf-8")
    _replace(Path(path), pyrage.passphrase.encrypt(plain, passphrase))


def _decrypt(sealed: bytes, passphrase: str) -> bytes:
    for _ in range(_ATTEMPTS - 1):
        try:
            return bytes(pyrage.passphrase.decrypt(sealed, passphrase))
        except pyrage.DecryptError as error:
            if not str(error).startswith(_TOO_MUCH_WORK):
                raise
    return bytes(pyrage.passphrase.decrypt(sealed, passphrase))


def read_key_file(path: Path, passphrase: str) -> KeyRing:
    """The secrets of the key file at `path`.

    Raises InvalidKeyFile where it is missing, readable by others than its owner, or no key file, and WrongPassphrase
    where the passphrase does not open it.
    """
    sealed = _read_private(Path(path))
    try:
        plain = _decrypt(sealed, passphrase)
    except pyrage.DecryptError as error:
        if str(error) == "Decryption failed":
            raise WrongPassphrase(f"the passphrase does not open {path}") from None
        if str(error).startswith(_TOO_MUCH_WORK):
            raise InvalidKeyFile(f"{path} needs more work than this machine does in seconds at the moment") from None
        raise InvalidKeyFile(f"{path} is damaged, or was not encrypted with a passphrase by age") from None
    except (TypeError, ValueError):
        raise InvalidKeyFile(f"{path} is damaged") from None
    return KeyRing(_parse(plain, path))


def add_to_key_file(path: Path, added: Mapping[str, bytes], passphrase: str) -> KeyRing:
    """Add secrets to the key file at `path`; raises InvalidKeyFile where it holds another secret of the same name."""
    ring = read_key_file(path, passphrase)
    for name, secret in added.items():
        if name in ring and ring[name] != secret:
            raise InvalidKeyFile(f"{path} already holds a key named {name!r}; it is not overwritten")
    ring = ring.with_secrets(added)
    write_key_file(path, ring, passphrase)
    return ring


def _read_private(path: Path) -> bytes:
    try:
        # Opened first and examined after, so that what was checked is what is read.
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode not in _ALLOWED_MODES:
                raise InvalidKeyFile(f"{path} has mode {mode:04o}, others may read it; run: chmod 600 {path}")
            sealed = file.read(_SIZE_LIMIT + 1)
    except FileNotFoundError:
        raise InvalidKeyFile(f"there is no key file {path}") from None
    except (IsADirectoryError, PermissionError):
        raise InvalidKeyFile(f"the key file {path} cannot be read by this user") from None
    if len(sealed) > _SIZE_LIMIT:
        raise InvalidKeyFile(f"{path} is too large to be a key file")
    return sealed


def _parse(plain: bytes, path: Path) -> dict[str, bytes]:
    # Neither the parser's message nor its cause goes on, since both quote the text.
    try:
        document = json.loads(plain)
        if set(document) != {"type", "secrets"} or document["type"] != _TYPE:
            raise ValueError
        return {name: _unpack(text) for name, text in document["secrets"].items()}
    except (ValueError, TypeError, AttributeError):
        raise InvalidKeyFile(f"{path} opens, but holds no Crosslight keys") from None


def _unpack(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _replace(path: Path, content: bytes) -> None:
    """Put `content` at `path` with mode 0600 so that a crash leaves the old file or the new one."""
    # mkstemp makes it 0600; only the encrypted form ever touches the disk.
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
