"""Rotating the signing key: the new one waits beside the old until a roster names it, then takes its place.

After that every live submission statement is signed again, byte for byte the same statement, and what waits in the
outbox too. Nothing that was submitted is changed or sent anew.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clients.institution.delivery import BrokerLink
from clients.institution.membership import Membership
from clients.institution.state import State
from crypto.keyfiles import KeyRing, add_to_key_file, write_key_file
from crypto.signatures import SEED_LENGTH, SigningKey, key_id
from policies.documents import write_json_file
from policies.home import RETIRED, PartyHome
from policies.party_keys import CARD_FILE
from runtime.exits import ExitCode, UserError
from wire.messages.message import decode_message, encode_message
from wire.messages.submission import OpenSubmission
from wire.messages.withdrawal import SignedStatement
from wire.problems import RemoteProblem

SIGNING = "signing"
NEXT = "signing.next"
NEXT_CARD_FILE = "card-next.json"


@dataclass(frozen=True, slots=True)
class Begun:
    """A key that waits to be named by a roster. `is_new` tells whether it was drawn just now."""

    public_key: bytes
    card: Path
    is_new: bool


def begin(home: PartyHome, ring: KeyRing, passphrase: str) -> Begun:
    """Draw the next signing key, unless one waits already, and write the card that whoever makes the roster needs."""
    is_new = NEXT not in ring
    if is_new:
        ring = add_to_key_file(home.key_file, {NEXT: secrets.token_bytes(SEED_LENGTH)}, passphrase)
    public_key = SigningKey(ring[NEXT]).public_key
    path = home.path / NEXT_CARD_FILE
    write_json_file(path, replace(home.card, signing_key=public_key).to_document())
    return Begun(public_key, path, is_new)


def candidates(ring: KeyRing, rostered: bytes | None) -> list[SigningKey]:
    """The institution's signing keys, the one that the newest roster held here names first."""
    keys = [SigningKey(ring[name]) for name in (SIGNING, NEXT) if name in ring]
    return sorted(keys, key=lambda key: key.public_key != rostered)


def settle(home: PartyHome, ring: KeyRing, rostered: bytes, passphrase: str) -> KeyRing:
    """Let the next key take the old one's place where the roster names it.

    The old one is put by: the agreement may name it, and then an amendment or a departure is signed under it. Raises
    UserError (exit code 5) where the roster names a key that is in neither place.
    """
    signing = SigningKey(ring[SIGNING]).public_key
    if NEXT in ring and SigningKey(ring[NEXT]).public_key == rostered:
        retired = RETIRED + key_id(signing).hex()
        ring = ring.with_secrets({SIGNING: ring[NEXT], retired: ring[SIGNING]}).without(NEXT)
        write_key_file(home.key_file, ring, passphrase)
    elif signing != rostered:
        raise UserError(
            f"The newest roster names another signing key of {home.card.party_id} than {home.key_file} holds; put the "
            "right key file there, or have the roster corrected.",
            ExitCode.KEYS,
        )
    if home.card.signing_key != rostered:
        # Written after the key file: a run that was killed between the two mends it here.
        write_json_file(home.path / CARD_FILE, replace(home.card, signing_key=rostered).to_document())
        (home.path / NEXT_CARD_FILE).unlink(missing_ok=True)
    return ring


def sign_again(state: State, broker: BrokerLink, membership: Membership, signing_key: SigningKey, now: int) -> int:
    """Sign under the present key whatever another key signed and is still needed; return how many statements.

    Statements in the outbox and withdrawals that holders lack are signed in place; a live submission's signature is
    put to the broker first, so that a failure leaves it to be done again. Raises UserError.
    """
    _sign_waiting(state, membership, signing_key)
    signed = 0
    for seq, key, statement in _live_statements(state, signing_key.public_key, now):
        signature = signing_key.sign(statement)
        try:
            broker.replace_signature(key, SignedStatement(statement, signature))
        except RemoteProblem as problem:
            raise UserError(
                f"The broker did not take the new signature of submission {seq}: {problem.detail}", problem.exit_code
            ) from None
        with state.transaction():
            _store_signature(state, seq, signature, signing_key.public_key)
        signed += 1
    return signed


def _live_statements(state: State, public_key: bytes, now: int) -> Sequence[tuple[int, bytes, bytes]]:
    """Delivered submissions under another key that have a record which is neither withdrawn nor expired."""
    return state.connection.execute(
        """SELECT seq, idempotency_key, statement FROM statements
           WHERE form = 'submission' AND delivered_at IS NOT NULL AND public_key <> ?
             AND EXISTS (SELECT 1 FROM records
                         WHERE submission_seq = seq AND withdrawal_seq IS NULL AND expires_at > ?)
           ORDER BY seq""",
        (public_key, now),
    ).fetchall()


def _sign_waiting(state: State, membership: Membership, signing_key: SigningKey) -> None:
    rows = state.connection.execute(
        """SELECT seq, statement, opening FROM statements
           WHERE public_key <> ? AND (delivered_at IS NULL OR (form = 'withdrawal' AND
                 (SELECT count(*) FROM acknowledgements WHERE acknowledgements.seq = statements.seq) < ?))""",
        (signing_key.public_key, membership.holders),
    ).fetchall()
    if not rows:
        return
    with state.transaction() as connection:
        for seq, statement, opening in rows:
            signature = signing_key.sign(statement)
            _store_signature(state, seq, signature, signing_key.public_key)
            if opening is not None:
                renewed = replace(decode_message(OpenSubmission, opening), signature=signature)
                connection.execute("UPDATE statements SET opening = ? WHERE seq = ?", (encode_message(renewed), seq))


def _store_signature(state: State, seq: int, signature: bytes, public_key: bytes) -> None:
    state.connection.execute(
        "UPDATE statements SET signature = ?, public_key = ? WHERE seq = ?", (signature, public_key, seq)
    )
