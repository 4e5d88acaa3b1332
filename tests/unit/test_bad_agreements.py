"""Fifty ways to get an agreement wrong: each is refused with one clear sentence that gives the line.

Every mistake is a change of one place in a shipped template, so that the table says what was done to it.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from policies.agreement.templates import names, template, text
from policies.agreement.yaml_file import parse_agreement, read_agreement_file
from policies.errors import AgreementRefused

GOOD = text("bank-to-charity")

BANK_A = "    - {id: bank-a, name: First bank, role: bank, group: bank-a, modes: [provide, watch]}"
PHONE = "  phone: {weight: 6, cap: 50, possession: true, norm_version: 1}"

MISTAKES = [
    # Not YAML, or more of it than is read
    ("agreement: bank-to-charity", "agreement: [bank-to-charity", "This is no YAML: "),
    ("agreement: bank-to-charity", "agreement:\tbank\n\t- x", "This is no YAML: "),
    ("title: Financial", "title: &name Financial", "The anchor &name is not allowed"),
    ("title: Financial", "title: *name\nother: Financial", "The alias *name is not allowed"),
    ("title: Financial", "title: !!python/name:os.system Financial", "is not allowed"),
    ("member_quorum: 2", "member_quorum: 2\nmember_quorum: 1", "member_quorum stands here a second time"),
    ("broker: {name: The operator,", "broker: {<<: {a: b}, name: The operator,", "A key must be plain text"),
    ("member_quorum: 2", "member_quorum: 2\n? [a, b]\n: 1", "A key must be plain text"),
    ("member_quorum: 2", "member_quorum:", "There is nothing here"),
    ("member_quorum: 2", "member_quorum: 2.5", "2.5 is not a whole number"),
    ("member_quorum: 2", "member_quorum: 010", "010 is no number as agreements write it"),
    ("possession: false", "possession: no", "Write true or false"),
    ("padded_size: 2048", "padded_size: [[[[[[[[[[[[[1]]]]]]]]]]]]]", "nested deeper"),
    # Not of the right shape
    ("padded_size: 2048", "padded_sise: 2048", "padded_sise is a field that does not belong there"),
    ("padded_size: 2048\n", "", "padded_size is missing"),
    ("padded_size: 2048", "padded_size: '2048'", "padded_size must be a whole number from 64"),
    ("padded_size: 2048", "padded_size: 32", "padded_size must be a whole number from 64"),
    ("agreement: bank-to-charity", "agreement: Bank to charity", "agreement must be 1 to 64 characters"),
    ("start: 2026-01-01", "start: 1 January 2026", "start must be a day, written like 2026-01-31"),
    ("end: 2028-12-31", "end: 2028-02-30", "end is no day that there is"),
    ("epoch: 90 days", "epoch: 90", "epoch must be a length of time, written like 90 days"),
    ("epoch: 90 days", "epoch: three months", "epoch must be a length of time, written like 90 days"),
    ("records: 90 days", "records: 9999 days", "records must be 3660 days at most"),
    (PHONE, "  phone: {weight: 6, cap: 50, possession: true}", "norm_version is missing"),
    (PHONE, "  phone: {weight: 6, cap: 0, possession: true, norm_version: 1}", "cap must be a whole number from 1"),
    (PHONE, "  phone: 6", "phone must be an object"),
    (PHONE, "  Phone: {weight: 6, cap: 50, possession: true, norm_version: 1}", "kinds has a key that is not 1 to 64"),
    ("role: charity, group: charity, modes", "role: aid, group: charity, modes", "role must be one of"),
    ("modes: [request, watch]", "modes: [open]", "Item 1 of modes must be one of"),
    ("id: holder2", "id: keeper", "id must be holder1, holder2"),
    ("  broker: {name: The operator, group: operator}\n", "", "broker is missing"),
    ("  bank: [record_id,", "  insurer: [record_id,", "insurer is no role"),
    ("approvals: 2", "approvals: 0", "approvals must be a whole number from 1"),
    ("reveals: true", "reveals: perhaps", "reveals must be true or false"),
    ("  groups: 2", "  groups: 1", "groups must be a whole number from 2"),
    # Contradicts itself
    ("end: 2028-12-31", "end: 2025-12-31", "The agreement ends before it begins"),
    ("  - code: trafficking-intelligence", "  - code: victim-safeguarding", "victim-safeguarding stands twice"),
    ("purposes: [victim-safeguarding, trafficking-intelligence]", "purposes: [marketing]", "has the purpose marketing"),
    ("purposes: [victim-safeguarding, trafficking-intelligence]", "purposes: []", "may request, but for no purpose"),
    ("id: bank-b, name", "id: bank-a, name", "Two parties have the id bank-a"),
    ("id: bank-b, name", "id: broker, name", "The id broker is kept for the broker or the key holders"),
    ("id: bank-b, name", "id: none, name", "The id none stands for no witness at all"),
    ("group: university", "group: bank-a", "bank-a is in the same group as holder1"),
    ("id: holder3", "id: holder4", "numbered 1, 2, 3"),
    ("holders_together: 2", "holders_together: 4", "There are 3 key holders, but 4 must evaluate together"),
    ("member_quorum: 2", "member_quorum: 4", "A quorum of 4 among 3 members can never sign"),
    ("modes: [request, watch]", "modes: [provide, request]", "is a recipient and cannot provide"),
    ("  phone: 8_000_000_000", "  shoe-size: 50", "an identifier space for shoe-size, which is none of the kinds"),
    (PHONE, PHONE.replace("phone", "record.name"), "may not use the key family of record secrets"),
    ("alone: [phone,", "alone: [address.postal,", "address.postal is to suffice alone, but does not prove possession"),
    ("alone: [phone,", "alone: [iris,", "iris is to suffice alone, but is none of the kinds"),
    (
        "      - wages-taken-out-same-day",
        "      - paid-in-cash",
        "asks for the red flag paid-in-cash, which a bank may not",
    ),
    ("  - asker: charity", "  - asker: regulator", "regulator is to ask for fields, but is neither"),
    ("  - asker: charity", "  - asker: bank-a", "bank-a is to ask for fields, but its modes do not say request"),
    ("parties: [bank-a, bank-b,", "parties: [broker, bank-b,", "The broker signs the log itself"),
    ("parties: [bank-a, bank-b,", "parties: [bank-z, bank-b,", "The witness bank-z is none of the parties"),
    ("  quorum: 5", "  quorum: 8", "8 of 7 witnesses can never cosign"),
    ("  quorum: 5", "  quorum: 4", "4 of 7 witnesses can cosign two histories of the log: at least 5 are needed"),
    # Cannot be meant
    ("  groups: 2", "  groups: 4", "for 4 groups, but there are only 3 that provide"),
    ("  least_weight: 10", "  least_weight: 0", "With a least weight of 0"),
    ("  - role: bank\n", "  - role: police\n", "which a police may not send"),
    ("    of: bank", "    of: police", "No institution has the role police"),
    ("openings_per_day: 500", "openings_per_day: 0", "With 0 openings a day nothing is ever opened"),
    ("  records: 90 days", "  records: 91 days", "Records would live longer than the epoch"),
    ("end: 2028-12-31", "end: 2026-02-01", "The agreement ends before its first epoch could"),
]


FAR = (
    "is missing",
    "which a bank may not",
    "Two parties",
    "same group",
    "has the purpose",
    "may request, but for no purpose",
    "is none of the kinds",
    "for 4 groups",
)


def test_there_are_fifty_mistakes_and_no_two_are_the_same():
    assert len(MISTAKES) >= 50
    assert len({(old, new) for old, new, _ in MISTAKES}) == len(MISTAKES)


@pytest.mark.parametrize(("old", "new", "sentence"), MISTAKES, ids=[sentence for _, _, sentence in MISTAKES])
def test_each_mistake_gets_one_sentence_with_its_line(old, new, sentence):
    assert GOOD.count(old) >= 1, f"the template does not hold {old}"
    bad = GOOD.replace(old, new, 1)
    with pytest.raises(AgreementRefused, match=re.escape(sentence)) as refused:
        parse_agreement(bad.encode(), "agreement.yaml")
    message = refused.value.reason
    found = re.fullmatch(r"agreement\.yaml, line ([0-9]+): [^\n]+\.", message)
    assert found is not None, message
    assert "Traceback" not in message
    first = GOOD[: GOOD.index(old)].count("\n") + 1
    # The line is that of the mistake, or of what it contradicts; of what is missing, that of the place around it.
    if not any(far in sentence for far in FAR):
        assert abs(int(found[1]) - first) <= 3, message


def test_a_line_is_that_of_the_very_word():
    bad = GOOD.replace("      - funnel-account", "      - funel-account", 1)
    line = bad[: bad.index("      - funel-account")].count("\n") + 1
    with pytest.raises(AgreementRefused, match=f"line {line}: The gate of bank asks for the red flag funel-account"):
        parse_agreement(bad.encode(), "agreement.yaml")


@pytest.mark.parametrize("name", names())
def test_every_template_reads_and_names_itself(name):
    assert template(name).agreement_id == name


def test_a_file_that_is_missing_empty_too_long_or_no_text_is_refused(tmp_path: Path):
    path = tmp_path / "agreement.yaml"
    with pytest.raises(AgreementRefused, match="cannot be read"):
        read_agreement_file(path)
    for content, sentence in (
        (b"", "The file is empty"),
        (b"- a\n- b\n", "An agreement is a list of names"),
        (b"agreement: a\ntitle: \xff\n", "line 2: The file is not UTF-8"),
        (b"agreement: a\ntitle: \x07\n", "line 2: The file holds a character"),
        (b"#" * (1024 * 1024 + 1), "longer than any agreement"),
    ):
        path.write_bytes(content)
        with pytest.raises(AgreementRefused, match=sentence):
            read_agreement_file(path)
