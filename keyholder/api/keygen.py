"""Messages of key generation between running holders."""

from __future__ import annotations

from keyholder.holder import Holder
from keyholder.keygen_mailbox import receive_message
from wire.access import signed
from wire.messages.keygen import KeygenMessage, KeygenReceived
from wire.resources import Resource
from wire.service import calling_party, spend_request_nonce


def keygen_resource(holder: Holder) -> Resource:
    """`/v1/keygen`."""
    resource = Resource("keygen", "keygen", description="Distributed key generation")

    @resource.route("/v1/keygen", methods=["POST"])
    @signed("holder", action="send-keygen-message")
    @resource.arguments(KeygenMessage)
    @resource.response(200, KeygenReceived)
    def take_message(message: KeygenMessage) -> KeygenReceived:
        """Keep a holder's own signed message for this holder's `keygen --online` to read."""
        return receive_message(holder, calling_party(), message, spend_request_nonce)

    return resource
