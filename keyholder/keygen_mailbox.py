"""Messages of key generation that other holders bring to this one's service, kept for its `holder keygen --online`.

The service keeps what is of a possible run and signed by its sender; the command reads it from the database. What is
kept is public (shares in it are encrypted to their holders). Knows no secret.
"""

from __future__ import annotations

from sqlalchemy import Connection

from crypto import keygen
from crypto.errors import InvalidKeygenSession, KeygenFault
from keyholder.accepted import SpendNonce
from keyholder.holder import Holder
from keyholder.keygen_run import KeygenRun, families_of
from keyholder.store import keygen as store
from keyholder.store.keygen import KeptMessage
from policies.parties import holder_party_id
from runtime.database import run_in_transaction
from wire.access import Caller
from wire.messages.keygen import KeygenMessage, KeygenReceived
from wire.problems import Problem

# So many runs ahead are plausible; more would only fill the database.
_MOST_EPOCHS_AHEAD = 4
_LARGEST_ATTEMPT = 20
# A round-one message for 255 holders has about 23,000 bytes.
_LONGEST_BODY = 65_536


def receive_message(holder: Holder, caller: Caller, message: KeygenMessage, spend_nonce: SpendNonce) -> KeygenReceived:
    """Keep another holder's message. The same one again is fine; a second one for its round is refused."""
    if caller.party_id != holder_party_id(message.sender):
        raise Problem(403, "not-yours", "another's message", "A holder brings its own messages of key generation.")
    _check_run(holder, message)
    kept = KeptMessage(
        keygen.session_id(message.agreement_id, message.number, message.family, message.attempt),
        message.round,
        message.sender,
        message.body,
        message.signature,
    )

    def work(connection: Connection) -> bool:
        spend_nonce(connection)
        return store.keep_message(connection, kept, holder.now)

    if not run_in_transaction(holder.engine, work):
        raise Problem(
            409,
            "other-message",
            "another message is kept",
            f"Holder {message.sender} sent a different message for round {message.round}: start another attempt.",
        )
    return KeygenReceived(holder.now)


def _check_run(holder: Holder, message: KeygenMessage) -> None:
    standing = holder.state().standing
    newest = standing.epochs[0].epoch.number if standing.epochs else 0
    if message.agreement_id != standing.agreement.agreement_id or message.family not in families_of(standing.agreement):
        raise Problem(422, "other-run", "unknown key generation", "The agreement has no such key.")
    if not newest < message.number <= newest + _MOST_EPOCHS_AHEAD or not 1 <= message.attempt <= _LARGEST_ATTEMPT:
        raise Problem(
            422,
            "other-run",
            "unknown key generation",
            f"Keys are generated for the epochs after {newest}, at most {_MOST_EPOCHS_AHEAD} ahead and in at most "
            f"{_LARGEST_ATTEMPT} attempts.",
        )
    if len(message.body) > _LONGEST_BODY:
        raise Problem(422, "other-run", "message too long", f"A message has at most {_LONGEST_BODY} bytes.")
    run = KeygenRun(holder.participant, message.family, number=message.number, attempt=message.attempt)
    try:
        run.check(message)
    except (InvalidKeygenSession, KeygenFault) as error:
        raise Problem(422, "keygen-message", "message refused", f"The message is refused: {error}.") from None
