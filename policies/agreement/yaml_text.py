"""Strict YAML: text, whole numbers, true and false, lists and maps, each with its line. Nothing else is read.

PyYAML's safe loader builds the nodes; anchors, aliases, tags, merge keys and keys that stand twice are refused, so that
what one sees in the file is all there is. Knows no agreement.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

Path = tuple[str | int, ...]

LONGEST = 1024 * 1024
"""Bytes of the longest file that is read."""

DEEPEST = 12

_PREFIX = "tag:yaml.org,2002:"
_NUMBER = re.compile(r"0|[1-9][0-9]*(_[0-9]{3})*", re.ASCII)
_TRUTHS: Final[Mapping[str, bool]] = {"true": True, "false": False}


class YamlFault(Exception):
    """Something that is not read; `line` counts from 1."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason


@dataclass(frozen=True)
class YamlText:
    """What a file says, and the line of each place in it: keys by name, list items by number from 0."""

    value: Any
    lines: Mapping[Path, int]

    def line_of(self, path: Path) -> int:
        """The line of `path`, or of the innermost place around it that the file has."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def parse_yaml(content: bytes) -> YamlText:
    """Read one document; raises YamlFault."""
    if len(content) > LONGEST:
        raise YamlFault(1, f"The file is longer than any agreement ({LONGEST} bytes).")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise YamlFault(content[: error.start].count(b"\n") + 1, "The file is not UTF-8 text.") from None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlFault(mark.line + 1 if mark else 1, f"This is no YAML: {error.problem or error.context}.") from None
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise YamlFault(line, "The file holds a character that YAML does not allow.") from None
    if node is None:
        raise YamlFault(1, "The file is empty.")
    lines: dict[Path, int] = {(): node.start_mark.line + 1}
    return YamlText(_value(node, (), lines), lines)


class _Loader(yaml.SafeLoader):
    """The safe loader without what makes a file say more than it shows."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            raise YamlFault(line, f"The alias *{event.anchor} is not allowed: write out what it stands for.")
        if event.anchor is not None:
            raise YamlFault(line, f"The anchor &{event.anchor} is not allowed: write things out where they belong.")
        if event.tag is not None:
            raise YamlFault(line, f"The tag {event.tag} is not allowed.")
        if self.depth >= DEEPEST:
            raise YamlFault(line, "This is nested deeper than anything in an agreement.")
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


def _value(node: yaml.Node, path: Path, lines: dict[Path, int]) -> Any:
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, lines)
    if isinstance(node, yaml.SequenceNode):
        items = []
        for number, item in enumerate(node.value):
            lines[*path, number] = item.start_mark.line + 1
            items.append(_value(item, (*path, number), lines))
        return items
    return _scalar(node)


def _mapping(node: yaml.MappingNode, path: Path, lines: dict[Path, int]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode) or key_node.tag == f"{_PREFIX}merge":
            raise YamlFault(line, "A key must be plain text.")
        key = key_node.value
        if key in found:
            raise YamlFault(line, f"{key} stands here a second time; the first is in line {lines[*path, key]}.")
        lines[*path, key] = line
        found[key] = _value(value_node, (*path, key), lines)
    return found


def _scalar(node: yaml.Node) -> Any:
    text, line = str(node.value), node.start_mark.line + 1
    match node.tag.removeprefix(_PREFIX):
        case "str" | "timestamp":
            return text
        case "int":
            if _NUMBER.fullmatch(text) is None:
                raise YamlFault(line, f"{text} is no number as agreements write it: digits, 1000 or 8_000_000_000.")
            return int(text.replace("_", ""))
        case "bool":
            if text not in _TRUTHS:
                raise YamlFault(line, f"Write true or false, or put {text} between quotation marks if it is a word.")
            return _TRUTHS[text]
        case "null":
            raise YamlFault(line, "There is nothing here: write a value, or [] for an empty list.")
        case "float":
            raise YamlFault(line, f"{text} is not a whole number.")
    raise YamlFault(line, f"{text} is neither text, number, true nor false.")
