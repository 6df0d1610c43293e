"""A part of the step `decode`: the typed object in a body of JSON, YAML or protobuf, and the reasons why there is none."""

from __future__ import annotations

from typing import Any

import msgspec

from api import codec, malformed, protobuf
from api.fields import Type
from controlplane.apiserver import status
from controlplane.apiserver.call import Call
from controlplane.apiserver.representation import YAML
from controlplane.apiserver.write_options import IGNORE, STRICT
from kit import documents

JSON, PROTOBUF = "application/json", "application/vnd.kubernetes.protobuf"
BODIES = (JSON, YAML, PROTOBUF)
_LONGEST_YAML = 256 * 1024  # read at 5 us a byte, while everybody waits
_SHOWN = 30  # characters of a body that cannot be read at all


class _Named(msgspec.Struct, rename="camel"):
    kind: str = ""
    api_version: str = ""


_named = msgspec.json.Decoder(_Named)


def media(call: Call) -> str:
    """The body's type without its parameters."""
    return call.content_type.partition(";")[0].strip().lower()


def read_body(call: Call, what: type[Type], level: str = IGNORE) -> Any:
    """The typed object in the body; `level` says what to do about fields that the type does not know. Raises StatusError."""
    found = media(call)
    if found == PROTOBUF:
        try:
            return protobuf.decode(what, call.body)
        except protobuf.ProtobufError as error:
            raise _unrecognized(what, error, call.body) from None
    if found not in (JSON, YAML, ""):
        raise status.unsupported_media_type(BODIES)
    doubles: list[str] = []
    data = _from_yaml(call.body, what, doubles) if found == YAML else call.body
    obj = typed(what, data)
    if level != IGNORE and (call.told or level == STRICT):
        doubted(call, what, data, level, doubles)
    return obj


def typed(what: type[Type], data: bytes) -> Any:
    """The object in JSON text. Raises StatusError."""
    try:
        return codec.decode(what, data)
    except codec.DecodeError as error:
        raise undecodable(what, data, error) from None


def doubted(call: Call, what: type[Type], data: bytes, level: str, doubles: list[str]) -> None:
    """Refuse or warn of what the type does not know. Raises StatusError."""
    problems = codec.strict_problems(what, data)
    if level == STRICT and (doubles or problems):
        if doubles:
            problems = ["yaml: unmarshal errors:\n  " + "\n  ".join(doubles), *problems]
        raise undecodable(what, data, codec.strict_message(problems))
    call.warnings.extend([*doubles, *problems])


def undecodable(what: type[Type], data: bytes, problem: object) -> status.StatusError:
    """The refusal of text that is not of this type."""
    try:
        named = _named.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        try:
            msgspec.json.decode(data)
            named = _Named()
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            why = f"couldn't get version/kind; json parse error: {malformed.syntax(data)}"
            return _unrecognized(what, why, data)
    name, version = what.__name__, version_of(what)
    if isinstance(problem, codec.DecodeError):
        problem = malformed.mismatch(what, data) or problem
    given = named.api_version.rpartition("/")[2] or version
    return status.bad_request(f'{named.kind or name} in version "{given}" cannot be handled as a {name}: {problem}')


def version_of(what: type[Type]) -> str:
    """The version of a type's group, `v1` for parts that have none."""
    made = what()
    return str(getattr(made, "api_version", "v1")).rpartition("/")[2]


def _unrecognized(what: type[Type], problem: object, data: bytes) -> status.StatusError:
    about = f"the object provided is unrecognized (must be of type {what.__name__})"
    return status.bad_request(f"{about}: {problem} ({_summary(data)})")


def _summary(data: bytes) -> str:
    if not data:
        return "<empty>"
    more = " ..." if len(data) > _SHOWN else ""
    if data[:1] == b"{":
        return data[:_SHOWN].decode(errors="replace") + more
    return data[:_SHOWN].hex() + more


def _from_yaml(text: bytes, what: type[Type], doubles: list[str]) -> bytes:
    if len(text) > _LONGEST_YAML:
        raise status.too_large(f"a body of YAML may have at most {_LONGEST_YAML} bytes; JSON may be longer")
    try:
        return msgspec.json.encode(documents.read(text, doubles))
    except (documents.DocumentError, msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
        raise _unrecognized(what, f"cannot read the body as YAML: {error}", text) from None
