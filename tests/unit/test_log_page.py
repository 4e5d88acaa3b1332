"""docs/log.md: its page of code verifies what this project's log proves, and its table names every leaf."""

import re
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature

from policies.log.leaves import EVENTS, MEMBERS
from tests.project_files import ROOT
from tests.unit.test_log_proofs import LOG, cosigned, policy, proof

PAGE = (ROOT / "docs/log.md").read_text("utf-8")
LEAVES = PAGE.split("## What becomes a leaf")[1].split("\n## ")[0]


@pytest.fixture
def code() -> dict[str, Any]:
    """What the page's code defines."""
    found = re.search(r"<!-- page of code -->\n```python\n(.*?)```\n<!-- /page of code -->", PAGE, re.S)
    assert found is not None
    names: dict[str, Any] = {}
    exec(found[1], names)
    return names


def keys() -> list[str]:
    rules = policy(2)
    return [rules.logs[0].format(), *(key.format() for key in rules.witnesses.values())]


@pytest.mark.parametrize("index", [0, 1, 255, 256, 511, 512, 699])
def test_the_page_of_code_verifies_a_proof(code: dict[str, Any], index: int) -> None:
    text = proof(index, cosigned("bank-a", "charity"), b"extra").format()
    assert code["verify_proof"](text, LOG.leaves[index], keys(), 2) == index


def test_the_page_of_code_refuses_another_leaf_a_missing_witness_and_a_false_signature(code: dict[str, Any]) -> None:
    made = proof(300, cosigned("bank-a", "charity"))
    with pytest.raises(AssertionError, match="not in this log"):
        code["verify_proof"](made.format(), LOG.leaves[301], keys(), 2)
    with pytest.raises(AssertionError, match="too few witnesses"):
        code["verify_proof"](made.format(), LOG.leaves[300], keys(), 3)
    with pytest.raises((AssertionError, InvalidSignature)):
        code["verify_proof"](made.format().replace("\n700\n", "\n701\n"), LOG.leaves[300], keys(), 2)
    shorter = made.format().replace("index 300", "index 299")
    with pytest.raises(AssertionError):
        code["verify_proof"](shorter, LOG.leaves[300], keys(), 2)


@pytest.mark.parametrize("event", EVENTS)
def test_the_page_names_every_leaf_and_what_it_says(event: str) -> None:
    (row,) = (line for line in LEAVES.split("\n") if line.startswith(f"| `{event}` |"))
    members = row.split("|")[3]
    assert set(re.findall(r"`([a-z_]+)`", members)) >= MEMBERS[event]
