"""What a rule compares, with the values that one question and one agreement give: for people, in sentences.

Reads the comparisons out of the policy itself (Cedar's JSON form), so that an explanation cannot say anything else than
the rule. Decides nothing: that is Cedar's.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from policies.decisions.rules import Rule

Values = Mapping[str, Mapping[str, Any]]
"""What `principal`, `resource` and `context` hold, by attribute."""

_WHOSE: Final = {"principal": "the party's ", "resource": "the agreement's ", "context": ""}
_TIMES: Final = frozenset({"at", "start", "end"})
_ORDERS: Final[Mapping[str, tuple[Callable[[int, int], bool], str]]] = {
    "<": (operator.lt, "less than"),
    "<=": (operator.le, "at most"),
    ">": (operator.gt, "more than"),
    ">=": (operator.ge, "at least"),
}


@dataclass(frozen=True)
class _Side:
    """One side of a comparison: what it is called, what it is; `value` is None for a table's entry that is missing."""

    name: str
    value: Any = field(repr=False)
    is_time: bool = False

    @property
    def shown(self) -> str:
        """The value for people."""
        if self.is_time:
            return datetime.fromtimestamp(self.value, UTC).strftime("%Y-%m-%d %H:%M UTC")
        if isinstance(self.value, bool):
            return "yes" if self.value else "no"
        if isinstance(self.value, (list, tuple)):
            return ", ".join(self.value) or "nothing"
        return str(self.value)


def comparisons(rule: Rule, values: Values) -> tuple[str, ...]:
    """A sentence for each comparison of the rule that tells something, each once."""
    found = [sentence for condition in rule.body["conditions"] for sentence in _sentences(condition["body"], values)]
    return tuple(dict.fromkeys(found))


def _sentences(node: Mapping[str, Any], values: Values) -> Iterator[str]:
    for name, parts in node.items():
        if name in _ORDERS:
            yield from _order(name, _side(parts["left"], values), _side(parts["right"], values))
        elif name in ("contains", "containsAll", "containsAny"):
            yield from _membership(name, _side(parts["left"], values), _side(parts["right"], values))
        elif name == "hasTag":
            table, key = _side(parts["left"], values), _side(parts["right"], values)
            if key.value not in table.value:
                yield f"{_capital(table.name)} say nothing about {key.value}."
        elif name == "." and _is_fact(parts) and isinstance(_side(node, values).value, bool):
            yield f"{_capital(parts['attr'])} is {_side(node, values).shown}."
        elif name not in ("isEmpty", "has", "is", "in", "==", "Var", "Value"):
            for child in parts.values():
                if isinstance(child, Mapping):
                    yield from _sentences(child, values)


def _is_fact(parts: Mapping[str, Any]) -> bool:
    return bool(parts["left"] == {"Var": "context"})


def _order(name: str, left: _Side, right: _Side) -> Iterator[str]:
    if left.value is None or right.value is None or right.value == 0:
        return
    holds, words = _ORDERS[name]
    middle = f"is {words}" if holds(left.value, right.value) else f"is not {words}"
    if left.is_time:
        middle = {"<": "is before", ">=": "is not before"}.get(name, middle)
    yield f"{_capital(left.name)} ({left.shown}) {middle} {_with_value(right)}."


def _with_value(side: _Side) -> str:
    return side.name if side.name == side.shown else f"{side.name} ({side.shown})"


def _membership(name: str, given: _Side, asked: _Side) -> Iterator[str]:
    """`given` is what the agreement has, `asked` what the question holds."""
    if given.value is None or asked.value is None:
        return
    if name == "containsAny":
        if not set(given.value) & set(asked.value):
            yield f"Of {given.name} ({given.shown}), none is among {_with_value(asked)}."
        return
    wanted = [asked.value] if name == "contains" else asked.value
    strangers = sorted(set(wanted) - set(given.value))
    # A set that is written in the policy itself has no name of its own.
    what = asked.name if name != "contains" or asked.name != str(asked.value) else "What is needed"
    if strangers:
        verb = "is" if len(strangers) == 1 else "are"
        yield f"{_capital(what)}: {', '.join(strangers)} {verb} not among {given.name} ({given.shown})."


def _side(node: Mapping[str, Any], values: Values) -> _Side:
    ((name, parts),) = node.items()
    if name == ".":
        whose = parts["left"]["Var"]
        attribute = parts["attr"]
        return _Side(_WHOSE[whose] + _plain(attribute), values[whose].get(attribute), attribute in _TIMES)
    if name == "getTag":
        table, key = _side(parts["left"], values), _side(parts["right"], values)
        return _Side(f"{table.name} for {key.value}", table.value.get(key.value))
    if name == "+":
        left, right = _side(parts["left"], values), _side(parts["right"], values)
        return _Side(f"{left.name} and {right.name} together", left.value + right.value)
    value = parts
    return _Side(str(value), value)


def _plain(attribute: str) -> str:
    return attribute.replace("_", " ")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
