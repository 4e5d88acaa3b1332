"""Recomputes merkle.json, opening_rule.json and ed25519_strict.json: pure decisions and trees."""

from __future__ import annotations

import hashlib

from cli.vectors.keys import Surroundings
from cli.vectors.report import Node
from crypto import merkle
from crypto.signatures import is_valid
from policies.opening_rule import Circumstances, KindPolicy, OpeningRule, ShownEntry, ShownRecord, opening


def check_merkle(file: Node, around: Surroundings) -> None:
    """Each tree's root and every path, made and followed."""
    for tree in file["trees"].each():
        with tree.guard():
            leaves = tree["leaves"].octets_each()
            tree["size"].equals(len(leaves))
            tree["root"].equals(merkle.root(leaves))
            tree["paths"].equals(merkle.paths(leaves))
            for index, (leaf, path) in enumerate(zip(leaves, tree["paths"].each(), strict=True)):
                with path.guard():
                    found = merkle.verify_path(leaf, path.octets(), tree["root"].octets(), len(leaves))
                    file.report.compare(path.path, found, index)


def check_ed25519_strict(file: Node, around: Surroundings) -> None:
    """Whether each signature is accepted as the file says."""
    for case in file["cases"].each():
        with case.guard():
            signature = (case["public_key"].octets(), case["message"].octets(), case["signature"].octets())
            case["valid"].equals(is_valid(*signature))


def check_opening_rule(file: Node, around: Surroundings) -> None:
    """Which records open in each case, and the groups that support them."""
    kinds = {kind: _kind_policy(node) for kind, node in file["kinds"].members().items()}
    groups = {institution: node.text() for institution, node in file["groups"].members().items()}
    now = file["now"].number()
    for case in file["cases"].each():
        with case.guard():
            rule = case["rule"]
            circumstances = Circumstances(
                rule=OpeningRule(
                    rule["t"].number(),
                    rule["least_weight"].number(),
                    frozenset(kind.text() for kind in rule["alone"].each()),
                ),
                kinds=kinds,
                groups=groups,
                suspended=frozenset(institution.text() for institution in case["suspended"].each()),
                withdrawn=_withdrawn(case),
                now=now,
            )
            _check_case(case, circumstances)


def _check_case(case: Node, circumstances: Circumstances) -> None:
    records = {name: _shown(name, record) for name, record in case["records"].members().items()}
    opened = opening(records, circumstances)
    expected = case["expected"].members()
    case.report.compare(case["expected"].path, sorted(expected), sorted(records))
    for name, node in expected.items():
        node.equals(sorted(opened[name]) if name in opened else None)


def _shown(name: str, record: Node) -> ShownRecord:
    entries = tuple(
        ShownEntry(
            entry["kind"].text(),
            None if entry["pk"].value is None else entry["pk"].octets(),
            entry["possession_valid"].truth(),
        )
        for entry in record["entries"].each()
    )
    return ShownRecord(record["institution_id"].text(), _handle(name), record["expires_at"].number(), entries)


def _withdrawn(case: Node) -> frozenset[tuple[str, bytes]]:
    records = case["records"]
    return frozenset(
        (records[name.text()]["institution_id"].text(), _handle(name.text())) for name in case["withdrawn"].each()
    )


def _handle(name: str) -> bytes:
    # The cases name records by letters; the rule wants sixteen bytes.
    return hashlib.sha256(name.encode()).digest()[:16]


def _kind_policy(node: Node) -> KindPolicy:
    weight, possession = node.each()
    return KindPolicy(weight=weight.number(), cap=1, possession=possession.truth(), normalisation=1)
