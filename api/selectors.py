"""Label selectors, in their two written forms, and field selectors."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from api.meta_v1 import LabelSelector

Operator = Literal["=", "!=", "in", "notin", "exists", "!", ">", "<"]

_TOKEN = re.compile(r"\s*(==|!=|[=!(),<>]|[^\s=!(),<>]+)")
_KEY = re.compile(
    r"(?:[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?([A-Za-z0-9][-\w.]{0,61})?[A-Za-z0-9]",
    re.ASCII,
)
_VALUE = re.compile(r"(([A-Za-z0-9][-\w.]{0,61})?[A-Za-z0-9])?", re.ASCII)
_FROM_STRUCT: dict[str, Operator] = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}


class SelectorError(ValueError):
    """Text or a struct that is no selector."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on one label."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels meet the condition; a missing label meets the negative ones."""
        value = labels.get(self.key)
        match self.operator:
            case "=" | "in":
                return value in self.values
            case "!=" | "notin":
                return value not in self.values
            case "exists":
                return value is not None
            case "!":
                return value is None
        try:
            return value is not None and _compare(int(value), self.operator, int(self.values[0]))
        except ValueError:
            return False

    def __str__(self) -> str:
        if self.operator == "exists":
            return self.key
        if self.operator == "!":
            return f"!{self.key}"
        if self.operator in ("in", "notin"):
            return f"{self.key} {self.operator} ({','.join(sorted(self.values))})"
        return f"{self.key}{self.operator}{self.values[0]}"


def _compare(value: int, operator: str, bound: int) -> bool:
    return value > bound if operator == ">" else value < bound


@dataclass(frozen=True, slots=True)
class Selector:
    """Conditions that labels must meet, all of them; with `nothing` set no object is selected."""

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels is selected."""
        if self.nothing:
            return False
        for requirement in self.requirements:  # noqa: SIM110 - the hot loop of every watch
            if not requirement.matches(labels):
                return False
        return True

    @property
    def empty(self) -> bool:
        """Whether everything is selected."""
        return not self.requirements and not self.nothing

    def __str__(self) -> str:
        return ",".join(str(requirement) for requirement in sorted(self.requirements, key=lambda item: item.key))


EVERYTHING = Selector()
NOTHING = Selector(nothing=True)


def parse_labels(text: str) -> Selector:
    """The selector in a query parameter: `app=web,tier in (a, b),!legacy`."""
    tokens = _TOKEN.findall(text.strip())  # blanks that no token follows would be looked through from each of them
    if "".join(tokens) != "".join(text.split()):
        raise SelectorError(f"cannot read selector {text!r}")
    reader = _Reader(text, tokens)
    requirements = []
    while reader.more():
        requirements.append(_requirement(reader))
        if reader.more():
            reader.expect(",")
            if not reader.more():
                raise reader.error("a requirement is missing after the last comma")
    return Selector(tuple(requirements))


def from_map(labels: Mapping[str, str]) -> Selector:
    """The selector of a Service: all of these labels."""
    return Selector(tuple(Requirement(key, "=", (value,)) for key, value in sorted(labels.items())))


def from_struct(selector: LabelSelector | None) -> Selector:
    """The selector of a workload; None selects nothing, an empty one everything."""
    if selector is None:
        return NOTHING
    requirements = list(from_map(selector.match_labels).requirements)
    for expression in selector.match_expressions:
        operator = _FROM_STRUCT.get(expression.operator)
        if operator is None:
            raise SelectorError(f'"{expression.operator}" is not a valid label selector operator')
        requirements.append(Requirement(expression.key, operator, tuple(expression.values)))
    return Selector(tuple(requirements))


class _Reader:
    """The tokens of a label selector, read one at a time."""

    def __init__(self, text: str, tokens: list[str]) -> None:
        self._text = text
        self._tokens = tokens
        self._next = 0

    def more(self) -> bool:
        return self._next < len(self._tokens)

    def peek(self) -> str:
        return self._tokens[self._next] if self.more() else ""

    def take(self) -> str:
        token = self.peek()
        self._next += 1
        return token

    def expect(self, wanted: str) -> None:
        token = self.take()
        if token != wanted:
            raise self.error(f"found '{token}', expected: '{wanted}'")

    def error(self, why: str) -> SelectorError:
        return SelectorError(f"unable to parse requirement: {why} in selector {self._text!r}")

    def key(self) -> str:
        token = self.take()
        if not _KEY.fullmatch(token):
            raise self.error(f"'{token}' is not a label key")
        return token

    def value(self) -> str:
        """One value; nothing at all is the empty value."""
        token = "" if self.peek() in (",", ")", "") else self.take()
        if not _VALUE.fullmatch(token):
            raise self.error(f"'{token}' is not a label value")
        return token


def _requirement(reader: _Reader) -> Requirement:
    if reader.peek() == "!":
        reader.take()
        return Requirement(reader.key(), "!")
    key = reader.key()
    match reader.peek():
        case "" | ",":
            return Requirement(key, "exists")
        case "=" | "==":
            reader.take()
            return Requirement(key, "=", (reader.value(),))
        case "!=":
            reader.take()
            return Requirement(key, "!=", (reader.value(),))
        case "in":
            reader.take()
            return Requirement(key, "in", _values(reader))
        case "notin":
            reader.take()
            return Requirement(key, "notin", _values(reader))
        case ">" | "<" as operator:
            reader.take()
            bound = reader.value()
            if not bound.isdecimal():
                raise reader.error(f"'{bound}' is not a whole number")
            return Requirement(key, ">" if operator == ">" else "<", (bound,))
    raise reader.error(f"found '{reader.peek()}', expected: in, notin, =, ==, !=, <, >")


def _values(reader: _Reader) -> tuple[str, ...]:
    reader.expect("(")
    values = [reader.value()]
    while reader.peek() == ",":
        reader.take()
        values.append(reader.value())
    reader.expect(")")
    return tuple(values)


@dataclass(frozen=True, slots=True)
class FieldRequirement:
    """One condition on one field, by its path such as `spec.nodeName`."""

    path: str
    negated: bool
    value: str


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """Conditions on fields, all of which must hold; a field that is not set is the empty text."""

    requirements: tuple[FieldRequirement, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether everything is selected."""
        return not self.requirements

    @property
    def paths(self) -> frozenset[str]:
        """The fields it asks for."""
        return frozenset(requirement.path for requirement in self.requirements)

    def matches(self, fields: Mapping[str, str]) -> bool:
        """Whether an object with these field values is selected."""
        for requirement in self.requirements:  # noqa: SIM110 - the hot loop of every watch
            if (fields.get(requirement.path, "") == requirement.value) is requirement.negated:
                return False
        return True

    def exact(self, path: str) -> str | None:
        """The value a field must have, if the selector asks for one: an index can be used."""
        values = (item.value for item in self.requirements if item.path == path and not item.negated)
        return next(values, None)

    def __str__(self) -> str:
        return ",".join(
            f"{item.path}{'!=' if item.negated else '='}{_escaped(item.value)}" for item in self.requirements
        )


def parse_fields(text: str) -> FieldSelector:
    """The selector in a query parameter: `spec.nodeName=n1,status.phase!=Failed`."""
    return FieldSelector(tuple(_field_requirement(part, text) for part in _split(text) if part))


def _field_requirement(part: str, text: str) -> FieldRequirement:
    found = re.fullmatch(r"([^=!\\]+)(!=|==|=)((?:\\.|[^\\])*)", part, re.DOTALL)
    if found is None:
        raise SelectorError(f"invalid selector: {text!r}; can't understand {part!r}")
    value = found[3]
    if re.search(r"\\[^\\,=]|(?<!\\)=", re.sub(r"\\\\", "", value)):
        raise SelectorError(f"invalid selector: {text!r}; can't understand {part!r}")
    return FieldRequirement(found[1], found[2] == "!=", re.sub(r"\\(.)", r"\1", value))


def _split(text: str) -> Iterable[str]:
    """The parts between commas that no backslash precedes."""
    return re.findall(r"(?:\\.|[^,\\])+", text, re.DOTALL)


def _escaped(value: str) -> str:
    return re.sub(r"([\\,=])", r"\\\1", value)
