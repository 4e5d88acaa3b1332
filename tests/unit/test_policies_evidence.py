"""Evidence of an opening request: whole and honest it holds; every single change is found, and the reason named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from crypto import merkle, tags
from crypto.records import Head, entry_hash, leaf, record_bytes
from crypto.signatures import SigningKey, generate_seed
from crypto.statements import SubmissionStatement
from policies.assembly import build_roster
from policies.errors import EvidenceRefused
from policies.evidence import Reason, check_evidence, decide
from policies.log.leaves import submission_leaf
from policies.opening_rule import Circumstances
from tests.agreement_world import DAY, START, World, example_terms, make_world
from wire.messages.message import decode_message, encode_message
from wire.messages.opening import EvidenceEntry, EvidenceRecord, OpeningRequest, StatementEvidence

NOW = START + 2 * DAY


@pytest.fixture(scope="module")
def world() -> World:
    return make_world()


@pytest.fixture(scope="module")
def request_of(world):
    a = world.submit("bank-a", [{"phone": "+491", "email": "a@example.org", "address.postal": "x"}, {"phone": "+492"}])
    b = world.submit("bank-b", [{"phone": "+491"}])
    return world.request([a, b])


def around(world: World, **changes) -> Circumstances:
    trust = world.trust
    plain = Circumstances(trust.rule, trust.kinds, trust.groups, frozenset(), frozenset(), NOW)
    return replace(plain, **changes)


def with_record(request: OpeningRequest, position: int, **changes) -> OpeningRequest:
    records = list(request.records)
    records[position] = replace(records[position], **changes)
    return replace(request, records=tuple(records))


def with_entry(request: OpeningRequest, position: int, number: int, **changes) -> OpeningRequest:
    entries = list(request.records[position].entries)
    entries[number] = replace(entries[number], **changes)
    return with_record(request, position, entries=tuple(entries))


def with_statement(request: OpeningRequest, number: int, **changes) -> OpeningRequest:
    statements = list(request.statements)
    statements[number] = replace(statements[number], **changes)
    return replace(request, statements=tuple(statements))


def signed_record(world: World, institution: str, entries: list[tags.Entry], like: EvidenceRecord, **context):
    """A record of `institution` with any entries at all, under its own valid statement; `appended` logs it."""
    head = Head.decode(like.head)
    salts = [bytes([number]) * 16 for number in range(len(entries))]
    hashes = tuple(entry_hash(salt, entry.encode()) for salt, entry in zip(salts, entries, strict=True))
    changed = replace(head.context, institution_id=institution, **context)
    encoded = Head(changed, head.sealed_ref, hashes).encode()
    leaves = [leaf(record_bytes(encoded, like.envelope_hash))]
    statement = SubmissionStatement(changed.epoch_id, institution, 9, b"i" * 16, 1, merkle.root(leaves)).encode()
    signature = world.parties[institution].signing_key.sign(statement)
    shown = tuple(
        EvidenceEntry(index, salt, entry.encode())
        for index, (salt, entry) in enumerate(zip(salts, entries, strict=True))
    )
    return (
        EvidenceRecord(encoded, like.envelope_hash, merkle.path(leaves, 0), 2, shown),
        StatementEvidence(statement, signature, START + DAY, 0, b""),
        changed,
    )


def appended(
    world: World, request: OpeningRequest, record: EvidenceRecord, statement: StatementEvidence
) -> OpeningRequest:
    return in_one_log(
        world,
        replace(request, statements=(*request.statements, statement), records=(*request.records, record)),
    )


def in_one_log(world: World, request: OpeningRequest) -> OpeningRequest:
    """The request with all of its statements in one log, under its checkpoint."""
    log = world.log()
    log.append(*(submission_leaf(shown.statement, shown.logged_at) for shown in request.statements))
    statements = tuple(
        replace(shown, log_index=place, log_path=b"".join(log.path(place)))
        for place, shown in enumerate(request.statements)
    )
    return replace(request, checkpoint=log.note(), statements=statements)


def refusal(request: OpeningRequest, world: World, position: int, now: int = NOW):
    evidence = check_evidence(request, world.trust, now)
    assert set(evidence.verified) | set(evidence.refused) == set(range(len(request.records)))
    assert not set(evidence.verified) & set(evidence.refused)
    assert position in evidence.refused, f"record {position} was accepted"
    return evidence.refused[position].reason


def test_honest_evidence_holds_and_opens_what_the_rule_covers(world, request_of):
    evidence = check_evidence(request_of, world.trust, NOW)
    assert evidence.refused == {}
    assert evidence.verified[0].context.institution_id == "bank-a"
    decision = decide(evidence, request_of.open, around(world))
    assert decision.accepted == (0, 2)
    assert decision.refused[1].reason is Reason.NOT_SUPPORTED


def test_evidence_survives_the_wire(world, request_of):
    again = decode_message(OpeningRequest, encode_message(request_of))
    assert check_evidence(again, world.trust, NOW) == check_evidence(request_of, world.trust, NOW)


def test_only_what_was_asked_for_is_decided(world, request_of):
    evidence = check_evidence(request_of, world.trust, NOW)
    assert decide(evidence, (2,), around(world)).accepted == (2,)
    assert decide(evidence, (7,), around(world)).refused[7].reason is Reason.HEAD


def test_entries_that_do_not_count_need_not_be_shown(world, request_of):
    phone = next(entry for entry in request_of.records[0].entries if tags.Entry.decode(entry.entry).kind == "phone")
    evidence = check_evidence(with_record(request_of, 0, entries=(phone,)), world.trust, NOW)
    assert decide(evidence, (0,), around(world)).accepted == (0,)


def test_a_request_for_another_epoch_or_roster_is_refused_whole(world, request_of):
    for changed, code in (
        (replace(request_of, epoch_id=b"e" * 32), Reason.EPOCH),
        (replace(request_of, roster_version=2), Reason.ROSTER),
        (replace(request_of, records=request_of.records * 200), Reason.TOO_MANY),
    ):
        with pytest.raises(EvidenceRefused) as refused:
            check_evidence(changed, world.trust, NOW)
        assert refused.value.code == code


def test_a_statement_that_is_unsigned_unread_or_of_a_stranger_carries_no_record(world, request_of):
    statement = request_of.statements[0].statement
    stranger = replace(SubmissionStatement.decode(statement), institution_id="bank-z").encode()
    foreign = replace(SubmissionStatement.decode(statement), epoch_id=b"e" * 32).encode()
    key = world.parties["bank-a"].signing_key
    for changed, reason in (
        ({"signature": b"\1" * 64}, Reason.SIGNATURE),
        ({"signature": SigningKey(generate_seed()).sign(statement)}, Reason.SIGNATURE),
        ({"signature": world.parties["bank-b"].signing_key.sign(statement)}, Reason.SIGNATURE),
        ({"statement": stranger, "signature": key.sign(stranger)}, Reason.INSTITUTION),
        ({"statement": foreign, "signature": key.sign(foreign)}, Reason.EPOCH),
        ({"statement": b"nonsense"}, Reason.STATEMENT),
    ):
        request = with_statement(request_of, 0, **changed)
        assert refusal(request, world, 0) is reason
        assert refusal(request, world, 1) is reason
        assert 2 in check_evidence(request, world.trust, NOW).verified


def test_a_statement_holds_only_under_the_newest_rosters_key(world, request_of):
    new = SigningKey(generate_seed())
    members = tuple(
        replace(member, signing_key=new.public_key) if member.institution_id == "bank-a" else member
        for member in world.trust.roster.members
    )
    second = world.sign(build_roster(world.trust, [], members=members).to_document())
    trust = world.trust.with_roster(second)
    request = replace(request_of, roster_version=2)
    assert check_evidence(request, trust, NOW).refused[0].reason is Reason.SIGNATURE
    again = with_statement(request, 0, signature=new.sign(request.statements[0].statement))
    assert check_evidence(again, trust, NOW).refused == {}


def test_a_record_under_another_statement_path_or_envelope_is_refused(world, request_of):
    paths = [record.path for record in request_of.records]
    for changes, reason in (
        ({"statement": 1}, Reason.HEAD),
        ({"statement": 5}, Reason.STATEMENT),
        ({"path": paths[1]}, Reason.PATH),
        ({"path": paths[2]}, Reason.PATH),
        ({"path": paths[0][:-1]}, Reason.PATH),
        ({"path": paths[0][:4] + b"\0\0\0\3" + paths[0][8:]}, Reason.PATH),
        ({"envelope_hash": b"e" * 32}, Reason.PATH),
        ({"head": request_of.records[1].head}, Reason.PATH),
        ({"head": request_of.records[0].head[:-1]}, Reason.HEAD),
    ):
        assert refusal(with_record(request_of, 0, **changes), world, 0) is reason


def test_every_changed_byte_of_a_record_is_found(world, request_of):
    record = request_of.records[2]
    for field in ("head", "path", "envelope_hash"):
        value = getattr(record, field)
        for place in range(len(value)):
            changed = value[:place] + bytes([value[place] ^ 1]) + value[place + 1 :]
            refusal(with_record(request_of, 2, **{field: changed}), world, 2)
    for field in ("salt", "entry"):
        value = getattr(record.entries[0], field)
        for place in range(len(value)):
            changed = value[:place] + bytes([value[place] ^ 1]) + value[place + 1 :]
            refusal(with_entry(request_of, 2, 0, **{field: changed}), world, 2)


def test_entries_out_of_place_are_refused(world, request_of):
    entries = request_of.records[0].entries
    for shown in (
        entries[::-1],
        (entries[0], entries[0]),
        (replace(entries[0], index=1),),
        (replace(entries[0], index=3),),
        (replace(entries[0], salt=b"s" * 16),),
        (),
    ):
        assert refusal(with_record(request_of, 0, entries=tuple(shown)), world, 0) is Reason.ENTRY


def test_entries_that_a_record_itself_has_twice_or_unsorted_are_refused(world, request_of):
    like = request_of.records[0]
    context = Head.decode(like.head).context
    y = b"y" * 64
    phone = tags.possession_entry("phone", y, replace(context, institution_id="police-c").encode())
    email = tags.possession_entry("email", y, replace(context, institution_id="police-c").encode())
    for entries in ([phone, email], [phone, phone]):
        record, statement, _ = signed_record(world, "police-c", entries, like)
        assert refusal(appended(world, request_of, record, statement), world, 3) is Reason.ENTRY


def test_attack_2_a_possession_replayed_from_another_record_is_refused(world, request_of):
    like = request_of.records[0]
    stolen = [tags.Entry.decode(entry.entry) for entry in like.entries]
    record, statement, _ = signed_record(world, "police-c", stolen, like)
    assert refusal(appended(world, request_of, record, statement), world, 3) is Reason.POSSESSION


def test_attack_2_a_copied_tag_without_possession_is_refused(world, request_of):
    like = request_of.records[0]
    copied = [
        replace(tags.Entry.decode(entry.entry), public_key=None, possession=None)
        for entry in like.entries
        if tags.Entry.decode(entry.entry).kind == "phone"
    ]
    record, statement, _ = signed_record(world, "police-c", copied, like)
    assert refusal(appended(world, request_of, record, statement), world, 3) is Reason.KIND


def test_attack_2_a_key_of_small_order_proves_nothing(world, request_of):
    like = request_of.records[0]
    for key in (b"\1" + bytes(31), bytes(32), b"\xec" + b"\xff" * 30 + b"\x7f"):
        entry = tags.Entry("phone", tags.possession_tag(key), key, key + bytes(32))
        record, statement, _ = signed_record(world, "police-c", [entry], like)
        assert refusal(appended(world, request_of, record, statement), world, 3) is Reason.POSSESSION


def test_only_a_report_desk_may_show_a_tag_without_possession(world, request_of):
    like = request_of.records[0]
    entry = tags.report_desk_entry("phone", b"y" * 64)
    record, statement, _ = signed_record(world, "desk-d", [entry], like)
    evidence = check_evidence(appended(world, request_of, record, statement), world.trust, NOW)
    assert 3 in evidence.verified
    assert decide(evidence, (3,), around(world)).refused[3].reason is Reason.NOT_SUPPORTED


def test_possession_in_a_kind_that_only_supports_and_unknown_kinds_are_refused(world, request_of):
    like = request_of.records[0]
    ctx = replace(Head.decode(like.head).context, institution_id="police-c").encode()
    for kind in ("address.postal", "shoe-size"):
        record, statement, _ = signed_record(world, "police-c", [tags.possession_entry(kind, b"y" * 64, ctx)], like)
        assert refusal(appended(world, request_of, record, statement), world, 3) is Reason.KIND


def test_expired_records_neither_open_nor_support(world):
    short = world.submit("bank-a", [{"phone": "+491"}], lifetime=DAY)
    long = world.submit("bank-b", [{"phone": "+491"}])
    request = world.request([short, long])
    before = check_evidence(request, world.trust, START + 2 * DAY - 1)
    assert decide(before, (0, 1), around(world, now=START + 2 * DAY - 1)).accepted == (0, 1)
    at = check_evidence(request, world.trust, START + 2 * DAY)
    decision = decide(at, (0, 1), around(world, now=START + 2 * DAY))
    assert decision.accepted == ()
    assert [decision.refused[n].reason for n in (0, 1)] == [Reason.EXPIRED, Reason.NOT_SUPPORTED]


def test_times_that_the_epoch_does_not_allow_are_refused(world, request_of):
    like = request_of.records[0]
    for times in (
        {"issued_at": NOW + DAY, "expires_at": NOW + DAY},
        {"expires_at": world.trust.epoch.not_after + 1},
    ):
        ctx = replace(Head.decode(like.head).context, institution_id="police-c", **times).encode()
        entry = tags.possession_entry("phone", b"y" * 64, ctx)
        record, statement, _ = signed_record(world, "police-c", [entry], like, **times)
        assert refusal(appended(world, request_of, record, statement), world, 3) is Reason.TIMES


def test_a_record_shown_twice_counts_once(world, request_of):
    request = replace(request_of, records=(*request_of.records, request_of.records[0]))
    assert refusal(request, world, 3) is Reason.DUPLICATE


def test_suspended_and_withdrawn_records_are_refused_with_that_reason(world, request_of):
    evidence = check_evidence(request_of, world.trust, NOW)
    suspended = decide(evidence, (0, 2), around(world, suspended=frozenset({"bank-b"})))
    assert [suspended.refused[n].reason for n in (0, 2)] == [Reason.NOT_SUPPORTED, Reason.SUSPENDED]
    handle = evidence.verified[2].context.handle
    withdrawn = decide(evidence, (0, 2), around(world, withdrawn=frozenset({("bank-b", handle)})))
    assert [withdrawn.refused[n].reason for n in (0, 2)] == [Reason.NOT_SUPPORTED, Reason.WITHDRAWN]


def test_transitive_evidence_opens_only_what_it_supports_directly():
    world = make_world(example_terms(opening_rule={"t": 3, "least_weight": 10, "alone": ["phone", "email"]}))
    a = world.submit("bank-a", [{"phone": "+491"}])
    b = world.submit("bank-b", [{"phone": "+491", "email": "b@example.org"}])
    c = world.submit("police-c", [{"email": "b@example.org"}])
    request = world.request([a, b, c])
    decision = decide(check_evidence(request, world.trust, NOW), request.open, around(world))
    assert decision.accepted == (1,)


def test_five_hundred_and_twelve_records_are_checked(world):
    rows = [{"phone": f"+{number}"} for number in range(256)]
    request = world.request([world.submit("bank-a", rows), world.submit("bank-b", rows)])
    evidence = check_evidence(request, world.trust, NOW)
    assert len(evidence.verified) == 512
    assert decide(evidence, request.open, around(world)).accepted == tuple(range(512))


# In the log


@pytest.fixture(scope="module")
def witnessed() -> World:
    """An agreement whose checkpoints two of three witnesses must cosign."""
    return make_world(witness_quorum=2)


def logged(world: World, *cosigners: str, cosigned_at: int = NOW, leaves: int = 0) -> OpeningRequest:
    """A request whose statements are in a log of `leaves` more leaves, cosigned by those named (by everybody)."""
    given = [world.submit("bank-a", [{"phone": "+491"}]), world.submit("bank-b", [{"phone": "+491"}])]
    request = world.request(given)
    log = world.log(given)
    log.append(*(b"%d" % number for number in range(leaves)))
    note = log.cosign(cosigned_at, *cosigners)
    statements = tuple(
        replace(shown, log_index=place, log_path=b"".join(log.path(place)))
        for place, shown in enumerate(request.statements)
    )
    return replace(request, checkpoint=note, statements=statements)


def whole_refusal(request: OpeningRequest, world: World, now: int = NOW) -> str:
    with pytest.raises(EvidenceRefused) as caught:
        check_evidence(request, world.trust, now)
    return f"{caught.value.code}: {caught.value.detail}"


def test_evidence_in_a_cosigned_log_holds_however_large_the_log_is(witnessed):
    for leaves in (0, 1, 300):
        assert check_evidence(logged(witnessed, leaves=leaves), witnessed.trust, NOW).refused == {}
    assert check_evidence(logged(witnessed, "holder1", "holder3"), witnessed.trust, NOW).refused == {}


@pytest.mark.parametrize("change", ["no checkpoint", "unsigned", "another log's", "another key's", "changed"])
def test_without_the_logs_own_signature_nothing_is_looked_at(witnessed, change):
    request = logged(witnessed)
    stranger = make_world(witness_quorum=2)
    text, signatures = request.checkpoint.split("\n\n")
    note = {
        "no checkpoint": "nothing\n",
        "unsigned": text + "\n\n" + "".join(line + "\n" for line in signatures.splitlines()[1:]),
        "another log's": request.checkpoint.replace(text.split("\n")[0], "broker.example/another"),
        "another key's": logged(stranger).checkpoint,
        "changed": request.checkpoint.replace("\n2\n", "\n3\n"),
    }[change]
    assert whole_refusal(replace(request, checkpoint=note), witnessed).startswith("checkpoint: ")


def test_a_checkpoint_without_enough_cosignatures_of_the_named_witnesses_is_refused(witnessed):
    for cosigners in ([], ["holder1"], ["holder1", "bank-a", "bank-b", "charity", "regulator"]):
        request = logged(witnessed, *cosigners) if cosigners else logged(witnessed)
        if not cosigners:
            text, signatures = request.checkpoint.split("\n\n")
            request = replace(request, checkpoint=f"{text}\n\n{signatures.splitlines()[0]}\n")
        assert "cosignatures" in whole_refusal(request, witnessed)


def test_cosignatures_count_for_a_day_and_not_before_their_time(witnessed):
    request = logged(witnessed, cosigned_at=NOW - DAY)
    assert check_evidence(request, witnessed.trust, NOW).refused == {}
    assert "last 24 hours" in whole_refusal(request, witnessed, NOW + 1)
    assert "last 24 hours" in whole_refusal(logged(witnessed, cosigned_at=NOW + 3600), witnessed)


@pytest.mark.parametrize("change", ["path", "index", "time", "other leaf", "other record's", "beyond"])
def test_a_statement_that_is_not_where_it_is_said_to_be_costs_its_records(witnessed, change):
    request = logged(witnessed, leaves=3)
    first, second = request.statements
    changed = {
        "path": replace(first, log_path=bytes(32) + first.log_path[32:]),
        "index": replace(first, log_index=1),
        "time": replace(first, logged_at=first.logged_at + 1),
        "other leaf": replace(first, log_index=2, log_path=first.log_path),
        "other record's": replace(first, log_index=second.log_index, log_path=second.log_path),
        "beyond": replace(first, log_index=5),
    }[change]
    shown = replace(request, statements=(changed, second))
    evidence = check_evidence(shown, witnessed.trust, NOW)
    assert evidence.refused[0].reason is Reason.NOT_LOGGED
    assert decide(evidence, (0, 1), around(witnessed)).accepted == ()


def test_a_statement_that_came_after_the_checkpoint_is_not_logged(witnessed):
    given = [witnessed.submit("bank-a", [{"phone": "+491"}]), witnessed.submit("bank-b", [{"phone": "+491"}])]
    log = witnessed.log(given)
    request = replace(witnessed.request(given), checkpoint=log.cosign(NOW, size=1))
    statements = tuple(
        replace(shown, log_index=place, log_path=b"".join(log.path(place, size)))
        for place, (shown, size) in enumerate(zip(request.statements, (1, 2), strict=True))
    )
    evidence = check_evidence(replace(request, statements=statements), witnessed.trust, NOW)
    assert set(evidence.refused) == {1}
    assert evidence.refused[1].reason is Reason.NOT_LOGGED
