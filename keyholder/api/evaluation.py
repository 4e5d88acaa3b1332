"""Evaluation for institutions: blinded chunks, and the secrets of their own new records."""

from __future__ import annotations

from keyholder.evaluation import evaluate_chunk, evaluate_records
from keyholder.holder import Holder
from wire.access import signed
from wire.messages.evaluation import EvaluateRequest, EvaluateResponse, RecordSecretsRequest
from wire.resources import Resource
from wire.service import calling_party, spend_request_nonce


def evaluation_resource(holder: Holder) -> Resource:
    """`/v1/evaluate` and `/v1/evaluate-records`."""
    resource = Resource("evaluation", "evaluation", description="Evaluation under this holder's shares")

    @resource.route("/v1/evaluate", methods=["POST"])
    @signed("institution", action="evaluate-identifiers")
    @resource.arguments(EvaluateRequest)
    @resource.response(200, EvaluateResponse)
    def evaluate(message: EvaluateRequest) -> EvaluateResponse:
        """Evaluate up to 512 blinded elements of one key family, with one proof; charged once a chunk."""
        evaluation = evaluate_chunk(holder, calling_party(), message, spend_request_nonce)
        return EvaluateResponse(evaluation.elements, evaluation.proof)

    @resource.route("/v1/evaluate-records", methods=["POST"])
    @signed("institution", action="evaluate-record-secrets")
    @resource.arguments(RecordSecretsRequest)
    @resource.response(200, EvaluateResponse)
    def evaluate_record_secrets(message: RecordSecretsRequest) -> EvaluateResponse:
        """Evaluate the secrets of the caller's own new records, whose names the holder hashes itself."""
        evaluation = evaluate_records(holder, calling_party(), message, spend_request_nonce)
        return EvaluateResponse(evaluation.elements, evaluation.proof)

    return resource
