"""Recomputes oprf_threshold.json and record_secret.json: split keys, blinding, weighted answers, proofs, outputs.

Protocol sections 1 to 3.
"""

from __future__ import annotations

from cli.vectors.keys import Surroundings
from cli.vectors.report import Node
from crypto import group, oprf, scalars, shares
from crypto.envelopes import overlap_secret
from crypto.records import Context
from crypto.tags import identifier_input


def check_oprf_threshold(file: Node, around: Surroundings) -> None:
    """Every case: key generation from its polynomials, then each run of a set of holders."""
    for case in file["cases"].each():
        with case.guard():
            _check_key(case)
        with case.guard():
            _check_blinding(case)
        for run in case["runs"].each():
            with run.guard():
                _check_run(case, run)


def check_record_secret(file: Node, around: Surroundings) -> None:
    """The context, its element, each set's answers and the secret that they add up to."""
    context = Context(
        file["epoch_id"].octets(),
        file["institution_id"].text(),
        file["handle"].octets(),
        file["issued_at"].number(),
        file["expires_at"].number(),
    )
    ctx = context.encode()
    file["ctx"].equals(ctx)
    element = oprf.hash_inputs([ctx])
    file["element"].equals(element)
    commitments = file["commitments"].octets_each()
    for index, share in file["shares"].members().items():
        with share.guard():
            file.report.checked += 1
            shares.check_share(share.octets(), commitments, int(index))
    for run in file["runs"].each():
        with run.guard():
            _check_answers(file, run, element)
            y_r = oprf.outputs([ctx], _combined(run))[0]
            file["y_r"].equals(y_r)
    file["overlap_secret"].equals(overlap_secret(file["y_r"].octets()))
    known = around.record_output(context.epoch_id, ctx)
    if known is not None:
        file["y_r"].equals(known)


def _check_key(case: Node) -> None:
    polynomials = [polynomial.octets_each() for polynomial in case["polynomials"].each()]
    dealt = [[group.multiply_base(coefficient) for coefficient in polynomial] for polynomial in polynomials]
    case["dealer_commitments"].equals(dealt)
    commitments = [group.total(b"".join(column)) for column in zip(*dealt, strict=True)]
    case["commitments"].equals(commitments)
    case.report.compare(f"{case.path}.t_h", case["t_h"].number(), len(commitments))
    for index in range(1, case["n"].number() + 1):
        share = scalars.total(b"".join(_evaluate(polynomial, index) for polynomial in polynomials))
        case["shares"][str(index)].equals(share)
        case["public_shares"][str(index)].equals(shares.public_share(commitments, index))


def _check_blinding(case: Node) -> None:
    epoch_id, kind = case["epoch_id"].octets(), case["kind"].text()
    inputs = [identifier_input(epoch_id, kind, value.text()) for value in case["values"].each()]
    case["inputs"].equals(inputs)
    case.report.compare(f"{case.path}.family", case["family"].text(), kind.split(".")[0])
    blinded = oprf.blind(inputs, blinds=b"".join(case["blinds"].octets_each()))
    case["blinded"].equals(group.split(blinded.elements))
    digest = shares.chunk_digest(epoch_id, case["family"].text(), case["share_version"].number(), blinded.elements)
    case["chunk_digest"].equals(digest)


def _check_run(case: Node, run: Node) -> None:
    _check_answers(case, run, b"".join(case["blinded"].octets_each()))
    combined = _combined(run)
    run["combined"].equals(group.split(combined))
    outputs = oprf.finalize(case["inputs"].octets_each(), b"".join(case["blinds"].octets_each()), combined)
    run["outputs"].equals(outputs)


def _check_answers(source: Node, run: Node, elements: bytes) -> None:
    """Each holder's answer to `elements`, from its share in `source`; and its proof as a client verifies it."""
    holder_set = [item.number() for item in run["S"].each()]
    commitments = source["commitments"].octets_each()
    for answer in run["answers"].each():
        with answer.guard():
            index = answer["holder"].number()
            share = source["shares"][str(index)].octets()
            if (weight := answer.get("lambda")) is not None:
                weight.equals(shares.lagrange_coefficient(index, holder_set))
            if (weighted := answer.get("lambda_pk")) is not None:
                weighted.equals(shares.weighted_public_key(commitments, index, holder_set))
            nonce = answer["proof_nonce"].octets()
            computed = shares.evaluate_share(share, commitments, index, holder_set, elements, nonce=nonce)
            answer["proof"].equals(computed.proof)
            if (listed := answer.get("elements")) is not None:
                listed.equals(group.split(computed.elements))
            else:
                answer["element"].equals(computed.elements)
            shown = shares.Evaluation(_answered(answer), answer["proof"].octets())
            shares.verify_share(commitments, index, holder_set, elements, shown)


def _answered(answer: Node) -> bytes:
    listed = answer.get("elements")
    return answer["element"].octets() if listed is None else b"".join(listed.octets_each())


def _combined(run: Node) -> bytes:
    return shares.combine([_answered(answer) for answer in run["answers"].each()])


def _evaluate(polynomial: list[bytes], index: int) -> bytes:
    """The polynomial (coefficients of 32 bytes, lowest first) at `index`, by Horner's rule."""
    value = scalars.encode(0)
    for coefficient in reversed(polynomial):
        value = scalars.add(scalars.multiply(value, scalars.encode(index)), coefficient)
    return value
