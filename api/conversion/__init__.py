"""Second views: kinds whose objects are kept as those of another kind (`Kind.stored_as`), and how one becomes the other.

A module here has the name of the view's module and a table `CONVERSIONS`. Both functions of a conversion make a new object; metadata is
carried over as it is.
"""

import functools
import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

from api import codec
from api.kinds import Kind


class Conversion(NamedTuple):
    """How the objects of a view become those that are kept, and back."""

    to_stored: Callable[[Any], Any]
    to_shown: Callable[[Any], Any]


def stored(kind: Kind[Any], obj: Any) -> Any:
    """An object of the view `kind` as it is kept."""
    return _conversion(kind).to_stored(obj)


def shown(kind: Kind[Any], obj: Any) -> Any:
    """A kept object as the view `kind` shows it."""
    return _conversion(kind).to_shown(obj)


def show(kind: Kind[Any], data: bytes) -> bytes:
    """The bytes of a kept object as the view `kind` shows it."""
    assert kind.stored_as is not None
    return codec.encode(_conversion(kind).to_shown(codec.decode(kind.stored_as, data)))


@functools.cache
def _conversion(kind: Kind[Any]) -> Conversion:
    found: Conversion = importlib.import_module(f"api.conversion.{kind.module}").CONVERSIONS[kind]
    return found
