"""Reads the JSON vectors under tests/vectors for the tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

VECTORS = Path(__file__).parent / "vectors"


def worked(name: str, folder: str = "crosslight") -> Any:
    """The parsed vector file of that name (without .json)."""
    return json.loads((VECTORS / folder / f"{name}.json").read_text(encoding="utf-8"))


def unhex(text: str) -> bytes:
    """The bytes of a vector's hex field."""
    return bytes.fromhex(text)
