"""The agreements that ship with Crosslight, to be copied and filled in: YAML files in policies/agreements/.

Knows where they are and reads them as any other.
"""

from __future__ import annotations

from importlib.resources import files

from policies.agreement.draft import AgreementDraft
from policies.agreement.yaml_file import parse_agreement

_FOLDER = files("policies").joinpath("agreements")


def names() -> list[str]:
    """The templates' names, in order."""
    return sorted(each.name.removesuffix(".yaml") for each in _FOLDER.iterdir() if each.name.endswith(".yaml"))


def text(name: str) -> str:
    """A template as it is written; raises KeyError for one that there is not."""
    if name not in names():
        raise KeyError(name)
    return _FOLDER.joinpath(f"{name}.yaml").read_text("utf-8")


def template(name: str) -> AgreementDraft:
    """A template as a draft; raises KeyError for one that there is not."""
    return parse_agreement(text(name).encode(), f"the template {name}")
