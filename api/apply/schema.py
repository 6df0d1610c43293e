"""How the values of a type fall into fields that can be owned: read off the declarations, once for each type.

A field is a leaf if it is owned as a whole: a scalar, an atomic list, map or struct. Structs and other maps are owned field by field, lists
of items with keys item by item, sets of scalars value by value. JSON without a declaration is owned member by member, its lists as a whole.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from api import (
    admissionregistration_v1,
    autoscaling_v1,
    core_limits_v1,
    core_v1,
    core_volumes_v1,
    discovery_v1,
    meta_v1,
    networking_v1,
    rbac_v1,
)
from api.apply import sets
from api.fields import Field, IntOrString, Json, Special, Type, fields_of

# Structs whose fields make sense only together.
ATOMIC: frozenset[type[Type]] = frozenset(
    {
        admissionregistration_v1.MatchResources,
        admissionregistration_v1.NamedRuleWithOperations,
        admissionregistration_v1.ParamKind,
        admissionregistration_v1.ParamRef,
        admissionregistration_v1.Variable,
        autoscaling_v1.CrossVersionObjectReference,
        core_limits_v1.ScopeSelector,
        core_v1.ConfigMapKeySelector,
        core_v1.EndpointAddress,
        core_v1.EndpointPort,
        core_v1.FileKeySelector,
        core_v1.LocalObjectReference,
        core_v1.NodeSelector,
        core_v1.NodeSelectorTerm,
        core_v1.ObjectFieldSelector,
        core_v1.ObjectReference,
        core_v1.ResourceFieldSelector,
        core_v1.SecretKeySelector,
        core_v1.TypedLocalObjectReference,
        core_volumes_v1.SecretReference,
        core_volumes_v1.TopologySelectorTerm,
        discovery_v1.EndpointPort,
        meta_v1.LabelSelector,
        meta_v1.OwnerReference,
        networking_v1.ServiceBackendPort,
        rbac_v1.RoleRef,
        rbac_v1.Subject,
    }
)
# Fields of such a struct that are owned one by one all the same.
GRANULAR: frozenset[tuple[type[Type], str]] = frozenset({(core_volumes_v1.PersistentVolumeSpec, "claimRef")})
# What an item's key means when an applied configuration leaves it out, apart from zeros.
_KEYS: dict[tuple[type[Type], str], str] = {
    (core_v1.ContainerPort, "protocol"): "TCP",
    (core_v1.ServicePort, "protocol"): "TCP",
    (core_v1.LocalObjectReference, "name"): "",
}


class ItemError(ValueError):
    """A list's item that cannot be told from others."""


class Shape:
    """The shape of a value. `leaf` values are owned as a whole."""

    __slots__ = ("leaf",)

    def __init__(self, leaf: bool) -> None:
        self.leaf = leaf


class Scalar(Shape):
    """Text, a number, a boolean, or ("untyped") any of them."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        super().__init__(True)
        self.name = name


class Struct(Shape):
    """Fields by their JSON names."""

    __slots__ = ("fields",)

    def __init__(self, leaf: bool) -> None:
        super().__init__(leaf)
        self.fields: Mapping[str, Shape] = {}


class Map(Shape):
    """Values of one shape under any name."""

    __slots__ = ("element",)

    def __init__(self, element: Shape, leaf: bool) -> None:
        super().__init__(leaf)
        self.element = element


class Items(Shape):
    """A list. One that is no leaf has items told apart by `keys`, or, without keys, scalars told apart by value."""

    __slots__ = ("defaults", "element", "keys", "only")

    def __init__(self, element: Shape, leaf: bool, keys: tuple[str, ...], defaults: Mapping[str, Any]) -> None:
        super().__init__(leaf)
        self.element = element
        self.keys = tuple(sorted(keys))
        self.only = keys[0] if len(keys) == 1 else None
        self.defaults = defaults

    def step(self, item: Any) -> str:
        """The step of a path that leads to the item. Raises ItemError."""
        if not self.keys:
            if item is None or isinstance(item, dict | list):
                raise ItemError(_NO_SCALAR[type(item)])
            return sets.value_step(item)
        if self.only is not None and isinstance(item, dict) and isinstance(value := item.get(self.only), str):
            return (_known_step if len(value) <= _LONGEST_KNOWN else _only_step)(self.only, value)
        if not isinstance(item, dict):
            what = "a null element" if item is None else "non-map elements"
            raise ItemError(f"associative list with keys may not have {what}")
        found = {
            key: item[key] if key in item else self.defaults[key]
            for key in self.keys
            if key in item or key in self.defaults
        }
        if not found:
            names = " ".join(f'"{key}"' for key in self.keys)
            raise ItemError(
                f"associative list with keys has an element that omits all key fields [{names}] "
                "(and doesn't have default values for any key fields)"
            )
        return sets.key_step(found)


def _only_step(key: str, value: str) -> str:
    return sets.key_step({key: value})


_LONGEST_KNOWN = 256
_known_step = functools.lru_cache(4096)(_only_step)


class Anything(Shape):
    """JSON that nobody has declared."""

    __slots__ = ()


_NO_SCALAR = {
    dict: "associative list without keys has an element that's a map type",
    list: "not supported: associative list with lists as elements",
    type(None): "associative list without keys has an element that's an explicit null",
}
ANYTHING, _ANYTHING_AT_ONCE = Anything(False), Anything(True)
STRING, NUMERIC, BOOLEAN, UNTYPED = map(Scalar, ("string", "numeric", "boolean", "untyped"))
_SCALARS: dict[Any, Scalar] = {
    str: STRING,
    bytes: STRING,
    int: NUMERIC,
    float: NUMERIC,
    bool: BOOLEAN,
    IntOrString: UNTYPED,
}
_known: dict[type[Type], Struct] = {}


def shape_of(cls: type[Type]) -> Struct:
    """The shape of an API type."""
    known = _known.get(cls)
    if known is None:
        known = _known[cls] = Struct(cls in ATOMIC)  # known before its fields are: types may contain themselves
        known.fields = {
            name: _granular(field.item) if (cls, name) in GRANULAR else _field(field)
            for name, field in fields_of(cls).items()
        }
    return known


def _granular(cls: type[Type]) -> Struct:
    made = Struct(False)
    made.fields = shape_of(cls).fields
    return made


def _field(field: Field) -> Shape:
    facts = field.facts
    atomic = facts is not None and facts.atomic
    element = ANYTHING if facts is not None and facts.either else _element(field.item)
    if field.shape == "one":
        return _ANYTHING_AT_ONCE if atomic and element is ANYTHING else element
    if field.shape == "map":
        return Map(element, atomic)
    merge = facts.merge if facts is not None else False
    keys = facts.keys if facts is not None else ()
    if not keys and isinstance(merge, str):
        keys = (merge,)
    separate = bool(keys) or merge is True or (facts is not None and facts.unique)
    return Items(element, atomic or not separate, keys, _defaults(field.struct, keys))


def _element(item: Any) -> Shape:
    if isinstance(item, type) and issubclass(item, Type):
        return shape_of(item)
    if item is Json:
        return ANYTHING
    return UNTYPED if isinstance(item, Special) else _SCALARS.get(item, UNTYPED)


@functools.cache
def _defaults(cls: type[Type] | None, keys: tuple[str, ...]) -> Mapping[str, Any]:
    """The keys that an item has even where it does not name them: those that are always written, and a few with defaults."""
    if cls is None:
        return {}
    blank = cls()
    found = {}
    for key in keys:
        value = getattr(blank, fields_of(cls)[key].name)
        if (cls, key) in _KEYS:
            found[key] = _KEYS[cls, key]
        elif value is not None:
            found[key] = value
    return found
