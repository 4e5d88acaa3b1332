"""What can go wrong in crypto/, one exception a cause, so that a caller can answer precisely.

Every message names what was wrong and, where many things were checked at once, which one. It never holds a secret,
a plain identifier or a key: these texts reach logs and people.
"""

from __future__ import annotations


class CryptoError(Exception):
    """The family of everything that crypto/ raises on purpose."""


class InvalidEncoding(CryptoError):
    """Bytes that are not the encoding they claim to be: too short, too long, an identifier outside its alphabet."""


class InvalidElement(CryptoError):
    """A group element that is not canonical or is the identity; `position` counts from 0 within its batch."""

    def __init__(self, position: int, reason: str = "is not a canonical group element, or is the identity") -> None:
        super().__init__(f"element {position} {reason}")
        self.position = position


class InvalidScalar(CryptoError):
    """A scalar that is not below the group's order, or is zero where none may be."""


class InvalidShare(CryptoError):
    """A holder's share that its commitments do not promise: a wrong key file, or a wrong epoch."""


class InvalidHolderSet(CryptoError):
    """A set of holders that is not the threshold's number of distinct ascending indexes, or a holder outside it."""


class InvalidProof(CryptoError):
    """A proof of equal discrete logarithms that does not hold: the holder did not use its share."""


class InvalidSignature(CryptoError):
    """An Ed25519 signature or public key that the strict rules refuse."""


class InvalidKeyFile(CryptoError):
    """A key file that is missing, readable by others, damaged, or lacks what was asked of it."""


class WrongPassphrase(InvalidKeyFile):
    """A key file that the passphrase given does not open."""


class InvalidEnvelope(CryptoError):
    """An envelope that does not open: wrong secrets, changed bytes, or a pad that is not as agreed."""


class InvalidRecord(CryptoError):
    """A record whose bytes, entry hashes or order of entries are not as the protocol says."""


class InvalidStatement(CryptoError):
    """A submission or withdrawal statement that is not in its one encoding."""


class InvalidPath(CryptoError):
    """A Merkle path that does not lead from its leaf to the root."""


class InvalidSealed(CryptoError):
    """Sealed bytes that do not open under the key given."""


class InvalidKeygenSession(CryptoError):
    """A key generation that cannot be: wrong parameters or keys, or steps and messages that do not belong together."""


class InvalidCertificate(CryptoError):
    """The certificate of a key generation whose bytes are not those of its session."""


class KeygenFault(CryptoError):
    """A participant of a key generation that broke the protocol; `participant` is its index."""

    def __init__(self, participant: int, reason: str) -> None:
        super().__init__(f"participant {participant}: {reason}")
        self.participant = participant
        self.reason = reason
