"""What a declaration of a type says once: JSON name, protobuf number, how patches merge it, how it is encoded.

Every API type is a msgspec struct whose fields read `volumes: Annotated[list[Volume], F(1, merge="name")] = []`:

- the JSON name follows from the Python name (`pod_ips` is `podIPs`), see `json_name`;
- `F` carries the protobuf field number and the patch rules; decoding and encoding never look at it;
- a field with a plain default (`None`, `[]`, `{}`) is left out of the JSON when it has that value; one made by
  `required(...)` is always written, as Go does with fields that are not `omitempty`.

`fields_of` turns a declaration into a table, once per type, for those who need it: patches, protobuf, strict decoding.
"""

import functools
import types
import typing
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple, TypeVar

import msgspec

T = TypeVar("T")


class F:
    """Facts about one field: its protobuf number and the rules by which patches merge it.

    More than one number is a path: JSON shows the fields of an embedded message as if they were the parent's own.
    `merge` is the key of a list that strategic merge patches merge item by item, or True for a list of scalars.
    `keys` are the keys of the list in server-side apply where they are not just `merge`; `atomic` means replaced as a
    whole; `unique` a set of scalars. `explicit` fields tell a zero from absence; protobuf sends zeros of all others.
    `either` fields hold a struct or something else in its place: a "bool", an "array" of structs or of "strings", or any "JSON".
    `replaced` structs are taken over from a strategic merge patch as a whole.
    `among` is all the text that the value, or each element, can be (`api.choices`).
    """

    __slots__ = ("among", "atomic", "either", "explicit", "keys", "merge", "path", "replaced", "retain_keys", "unique")

    def __init__(
        self,
        *path: int,
        merge: str | bool = False,
        retain_keys: bool = False,
        keys: tuple[str, ...] = (),
        atomic: bool = False,
        unique: bool = False,
        explicit: bool = False,
        either: str = "",
        among: tuple[str, ...] = (),
        replaced: bool = False,
    ) -> None:
        self.path = path
        self.merge = merge
        self.retain_keys = retain_keys
        self.keys = keys
        self.atomic = atomic
        self.unique = unique
        self.explicit = explicit
        self.either = either
        self.among = among
        self.replaced = replaced


class Special:
    """A scalar that is text in JSON and a message of its own in protobuf."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


TIME = Special("Time")
MICRO_TIME = Special("MicroTime")
QUANTITY = Special("Quantity")
DURATION = Special("Duration")  # seconds as text, "10s"

# Times are kept as their RFC 3339 text (api.times), quantities as their own text (api.quantity).
Time = Annotated[str, TIME]
MicroTime = Annotated[str, MICRO_TIME]
Quantity = Annotated[str, QUANTITY]
Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
IntOrString = Int32 | str

# JSON that is passed through as it came; NOTHING is its absence.
Json = msgspec.Raw
NOTHING = msgspec.UNSET
Nothing = msgspec.UnsetType

_UPPER = frozenset(
    ("api", "cidr", "cidrs", "fqdn", "id", "io", "ip", "ipc", "ips", "pid", "uri", "url", "urls", "uuid", "wwns"),
)


@functools.cache
def json_name(python_name: str) -> str:
    """The JSON name of a field: camel case, acronyms in capitals except at the start."""
    head, *tail = python_name.rstrip("_").split("_")
    return head + "".join(_word(word) for word in tail)


def _word(word: str) -> str:
    if word not in _UPPER:
        return word.capitalize()
    return word[:-1].upper() + "s" if word.endswith("s") else word.upper()


class Type(msgspec.Struct, omit_defaults=True, rename=json_name, gc=False):
    """The base of all API types. They are trees, so the garbage collector need not follow them (gc=False)."""


def required(make: Callable[[], T], name: str | None = None) -> T:
    """The default of a field that is encoded even when it holds its zero value."""
    # msgspec leaves out a field whose factory is list or dict itself while it is empty; any other factory is written.
    factory = _ALWAYS.get(make, make)
    field: T = msgspec.field(default_factory=factory, name=name)
    return field


def constant(value: T) -> T:
    """The default of a field that is encoded always: kind and apiVersion."""
    field: T = msgspec.field(default_factory=lambda: value)
    return field


def _new_list() -> list[Any]:
    return []


def _new_dict() -> dict[str, Any]:
    return {}


_ALWAYS: dict[Any, Callable[[], Any]] = {list: _new_list, dict: _new_dict}


class Field(NamedTuple):
    """One field of a type, resolved: `shape` says how to read `item`, the type of the value or of each element."""

    name: str
    json: str
    facts: F | None
    shape: str  # "one", "list" or "map"
    item: Any  # a Type subclass, str, int, bool, float, bytes, Json, IntOrString, or a Special

    @property
    def struct(self) -> type[Type] | None:
        """The API type of the value or its elements, or None for scalars."""
        return self.item if isinstance(self.item, type) and issubclass(self.item, Type) else None


@functools.cache
def fields_of(cls: type[Type]) -> dict[str, Field]:
    """The fields of a type by their JSON names, in order of declaration."""
    hints = typing.get_type_hints(cls, include_extras=True)
    names = zip(cls.__struct_fields__, cls.__struct_encode_fields__, strict=True)
    return {json: _field(name, json, hints[name]) for name, json in names}


def _field(name: str, json: str, hint: Any) -> Field:
    facts = None
    if typing.get_origin(hint) is Annotated:
        facts = next((extra for extra in hint.__metadata__ if isinstance(extra, F)), None)
        extras = [extra for extra in hint.__metadata__ if isinstance(extra, Special)]
        hint = extras[0] if extras else hint.__origin__
    shape = "one"
    if typing.get_origin(hint) is list:
        shape, hint = "list", typing.get_args(hint)[0]
    elif typing.get_origin(hint) is dict:
        shape, hint = "map", typing.get_args(hint)[1]
    return Field(name, json, facts, shape, _scalar(hint))


def _scalar(hint: Any) -> Any:
    """The element type under Optional, Annotated and constraints."""
    if typing.get_origin(hint) is Annotated:
        return next((extra for extra in hint.__metadata__ if isinstance(extra, Special)), hint.__origin__)
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        members = [member for member in typing.get_args(hint) if member not in (type(None), Nothing)]
        structs = [member for member in members if isinstance(member, type) and issubclass(member, Type)]
        if structs:
            return structs[0]  # or something in its place, as its facts say
        if set(members) == {int, float}:
            return float
        return _scalar(members[0]) if len(members) == 1 else IntOrString
    return hint
