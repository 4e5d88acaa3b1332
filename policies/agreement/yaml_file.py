"""The YAML file that people write: read strictly, every fault as one sentence with its line.

What is right in itself but cannot be meant, a rule that nothing can ever fulfil, is refused here too: a draft is where
it is cheap to mend. Knows no key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any

from marshmallow import ValidationError

from policies.agreement.checks import check_content
from policies.agreement.draft import AgreementDraft
from policies.agreement.sense import check_sense
from policies.agreement.yaml_schema import AgreementFileSchema
from policies.agreement.yaml_text import LONGEST, Path, YamlFault, YamlText, parse_yaml
from policies.document_fields import plain_message
from policies.document_values import check_value
from policies.errors import AgreementRefused


def read_agreement_file(path: FilePath) -> AgreementDraft:
    """The draft in the file at `path`; raises AgreementRefused with the file, the line and what is wrong there."""
    try:
        with path.open("rb") as file:
            content = file.read(LONGEST + 1)
    except OSError as error:
        raise AgreementRefused(f"{path} cannot be read: {error.strerror}.") from None
    return parse_agreement(content, str(path))


def parse_agreement(content: bytes, name: str) -> AgreementDraft:
    """The draft in `content`; faults begin with `name` and the line. Raises AgreementRefused."""
    try:
        text = parse_yaml(content)
        return _draft(text)
    except YamlFault as fault:
        raise AgreementRefused(f"{name}, line {fault.line}: {fault.reason}") from None


def _draft(text: YamlText) -> AgreementDraft:
    if not isinstance(text.value, dict):
        raise YamlFault(1, "An agreement is a list of names, each with a colon and what it stands for.")
    try:
        draft: AgreementDraft = AgreementFileSchema().load(text.value)
        check_value(draft.title, "The title")
        check_content(draft)
        check_sense(draft)
    except ValidationError as error:
        # What stands there and is wrong comes before what is missing: it may be the same thing, misspelt.
        faults = _faults(error.messages, ())
        path, message = min(faults, key=lambda fault: (fault[0] not in text.lines, text.line_of(fault[0])))
        raise YamlFault(text.line_of(path), f"{_name(path)} {message.rstrip('.')}.") from None
    except AgreementRefused as refused:
        raise YamlFault(text.line_of(refused.path), refused.reason) from None
    return draft


def _faults(messages: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Every fault that marshmallow found, with its place."""
    if isinstance(messages, Mapping):
        for key, rest in messages.items():
            yield from _faults(rest, path if key == "_schema" else (*path, key))
    else:
        yield path, plain_message(str(messages[0]))


def _name(path: Path) -> str:
    """A place for people: the innermost name, and which item of it."""
    if not path:
        return "The agreement"
    last = path[-1]
    return last if isinstance(last, str) else f"Item {last + 1} of {path[-2]}"
