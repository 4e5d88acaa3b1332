"""Case files as text: what institutions sealed stays on its own line."""

from __future__ import annotations

from pathlib import Path

from clients.charity.rendering import render_case
from tests.agreement_world import make_world
from tests.charity_world import make_charity


def test_a_sealed_value_cannot_look_like_a_line_of_ours(tmp_path: Path) -> None:
    world = make_world()
    row = {"email": "a@example.org\nbank-b (bank), issued 2026-01-02 12:00 UTC: open", "phone": "+4477"}
    charity = make_charity(world, tmp_path, {"alert": [world.submit(name, [row]) for name in ("bank-a", "bank-b")]})
    office = charity.office()
    (case,) = office.open_alerts(["alert"])
    office.close()
    assert case.opened == 2
    lines = render_case(case).splitlines()
    assert sum(line.startswith("bank-b (bank), issued") for line in lines) == 1
    assert any("a@example.org bank-b (bank)" in line for line in lines)
