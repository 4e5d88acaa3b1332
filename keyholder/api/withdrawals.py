"""Withdrawals of institutions."""

from __future__ import annotations

from keyholder.holder import Holder
from keyholder.withdrawals import withdraw
from wire.access import signed
from wire.messages.withdrawal import Acknowledgement, SignedStatement
from wire.resources import Resource
from wire.service import calling_party, spend_request_nonce


def withdrawals_resource(holder: Holder) -> Resource:
    """`/v1/withdrawals`."""
    resource = Resource("withdrawals", "withdrawals", description="Records taken back for good")

    @resource.route("/v1/withdrawals", methods=["POST"])
    @signed("institution", action="withdraw-records")
    @resource.arguments(SignedStatement)
    @resource.response(200, Acknowledgement)
    def withdraw_records(message: SignedStatement) -> Acknowledgement:
        """Apply a withdrawal statement; the same one again gets the same acknowledgement."""
        return withdraw(holder, calling_party(), message, spend_request_nonce)

    return resource
