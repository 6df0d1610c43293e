"""What all answers have in common that are not kept: the object comes in a body, and goes back with its status filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from api import codec, times
from api.fields import Type
from api.validation.problems import Problems
from controlplane.apiserver import status
from controlplane.apiserver.call import Call, Found
from controlplane.apiserver.representation import OFFERED
from controlplane.apiserver.steps import decode

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

T = TypeVar("T", bound=Type)


def read(call: Call, what: type[T]) -> T:
    """The object in the body. Raises StatusError, also if the answer is wanted in a form that it does not have."""
    _refuse_tables(call)
    body: Any = decode.read_body(call, what)
    blank: Any = what()
    for named, expected in ((body.kind, blank.kind), (body.api_version, blank.api_version)):
        if named not in ("", expected):
            message = f"{body.kind}.{body.api_version} in the body is not {expected}: {blank.kind} is expected here"
            raise status.bad_request(message)
    body.kind, body.api_version = blank.kind, blank.api_version
    answer: T = body
    return answer


def answer(call: Call, obj: Type, code: int = 201) -> Found:
    """The object as the answer."""
    assert call.target.kind is not None
    return Found(call.target.kind, codec.encode(obj), code)


def refuse(kind: str, group: str, found: Problems) -> None:
    """Raise Invalid if something is wrong with the object."""
    if found.causes:
        raise status.invalid_object(group, kind, "", found.causes)


def now(core: Core) -> str:
    """The time, as it stands in objects."""
    return times.format_time(core.clock.now())


def _refuse_tables(call: Call) -> None:
    """There are no columns for what is not kept: a Table is passed over for the next form that the client takes."""
    if "as=Table" in call.accept:
        others = [clause for clause in call.accept.split(",") if "as=Table" not in clause.replace(" ", "")]
        if not others:
            raise status.not_acceptable(OFFERED)
        call.accept = ",".join(others)
