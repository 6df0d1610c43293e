"""Label selectors, in their two written forms, and field selectors."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from api import names
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
    reader = _Reader(tokens)
    requirements = []
    while reader.more():
        if not reader.at_name() and reader.peek() != "!":
            raise reader.missing("!, identifier, or 'end of string'")
        try:
            requirements.append(_requirement(reader))
        except SelectorError as error:
            raise SelectorError(f"unable to parse requirement: {error}") from error
        if reader.more():
            if reader.peek() != ",":
                raise reader.missing("',' or 'end of string'")
            reader.take()
            if not reader.at_name() and reader.peek() != "!":
                raise reader.missing("identifier after ','")
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

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._next = 0

    def more(self) -> bool:
        return self._next < len(self._tokens)

    def peek(self) -> str:
        return self._tokens[self._next] if self.more() else ""

    def at_name(self) -> bool:
        return self.peek() not in _OPERATORS

    def take(self) -> str:
        token = self.peek()
        self._next += 1
        return token

    def missing(self, wanted: str) -> SelectorError:
        return SelectorError(f"found '{self.peek()}', expected: {wanted}")

    def key(self) -> str:
        if not self.at_name():
            raise self.missing("identifier")
        token = self.take()
        if not _KEY.fullmatch(token):
            raise _invalid("<nil>", token, names.label_key(token))
        return token

    def value(self, key: str, index: int = 0) -> str:
        """One value; nothing at all is the empty value."""
        token = self.take() if self.at_name() else ""
        if not _VALUE.fullmatch(token):
            raise _invalid(f"values[{index}][{key}]", token, names.label_value(token))
        return token


_OPERATORS = frozenset(("", "=", "==", "!=", "!", "(", ")", ",", "<", ">"))


def _invalid(path: str, value: str, problems: list[str]) -> SelectorError:
    return SelectorError(f"{path}: Invalid value: {json.dumps(value)}: {'; '.join(problems)}")


def _requirement(reader: _Reader) -> Requirement:
    if reader.peek() == "!":
        reader.take()
        return Requirement(reader.key(), "!")
    key = reader.key()
    match reader.peek():
        case "" | ",":
            return Requirement(key, "exists")
        case "=" | "==" | "!=" as operator:
            reader.take()
            return Requirement(key, "!=" if operator == "!=" else "=", (_exact(reader, key),))
        case "in" | "notin" as operator:
            reader.take()
            return Requirement(key, "in" if operator == "in" else "notin", _values(reader, key))
        case ">" | "<" as operator:
            reader.take()
            bound = _exact(reader, key)
            if not bound.isdecimal():
                raise _invalid("values[0]", bound, ["for 'Gt', 'Lt' operators, the value must be an integer"])
            return Requirement(key, ">" if operator == ">" else "<", (bound,))
    raise reader.missing("in, notin, =, ==, !=, gt, lt")


def _exact(reader: _Reader, key: str) -> str:
    if not reader.at_name() and reader.peek() not in ("", ","):
        raise reader.missing("identifier")
    return reader.value(key)


def _values(reader: _Reader, key: str) -> tuple[str, ...]:
    if reader.peek() != "(":
        raise SelectorError(f"found '{reader.peek()}' expected: '('")
    reader.take()
    values = [reader.value(key)]
    while reader.peek() == ",":
        reader.take()
        values.append(reader.value(key, len(values)))
    if reader.peek() != ")":
        raise reader.missing("',' or ')'")
    reader.take()
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
