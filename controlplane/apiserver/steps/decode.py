"""Step: what the body says, as the new object: the body itself, a patch applied to the old object, or a view (scale, binding) carried over.

The object keeps the identity that the path gave it; a body that names another kind, namespace or name is a bad request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from api import codec, moments, patch, protobuf
from api.fields import Type
from controlplane.apiserver import status, views
from controlplane.apiserver.call import Call
from controlplane.apiserver.representation import YAML
from controlplane.apiserver.steps import apply
from controlplane.apiserver.steps.apply import APPLY_YAML
from controlplane.apiserver.write import CREATE, Write
from kit import documents

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

JSON, PROTOBUF = "application/json", "application/vnd.kubernetes.protobuf"
JSON_PATCH, MERGE_PATCH = "application/json-patch+json", "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
_BODIES = (JSON, YAML, PROTOBUF)
_LONGEST_YAML = 256 * 1024  # read at 5 us a byte, while everybody waits
_PATCHES = (JSON_PATCH, MERGE_PATCH, STRATEGIC, APPLY_YAML)


def decode(write: Write, core: Core) -> None:
    """Set `write.new`."""
    call = write.call
    view = views.view(write.kind, write.subresource, call.target.shown_as)
    if call.verb == "patch" and _media(call) == APPLY_YAML:
        body = apply.applied(write, view)
    elif call.verb == "patch":
        body = _patched(call, view.type, view.show(write.old, write.entry))
    else:
        body = read_body(call, view.type, write)
    try:
        moments.normalize(body)
    except codec.DecodeError as error:
        raise _undecodable(view.type, error) from None
    _identify(body, write, view.type)
    write.asked_revision = body.metadata.resource_version or ""
    write.new = view.carry(body, write)


def creates(call: Call) -> bool:
    """Whether a patch makes the object if it is not there."""
    return _media(call) == APPLY_YAML


def read_body(call: Call, what: type[Type], write: Write | None = None) -> Any:
    """The typed object in a body of JSON, YAML or protobuf."""
    media = _media(call)
    if media == PROTOBUF:
        try:
            return protobuf.decode(what, call.body)
        except protobuf.ProtobufError as error:
            raise status.bad_request(f"the object provided is unrecognized: {error}") from None
    if media not in (JSON, YAML, ""):
        raise status.unsupported_media_type(_BODIES)
    data = _yaml(call.body) if media == YAML else call.body
    return _typed(call, what, data, write)


def _media(call: Call) -> str:
    return call.content_type.partition(";")[0].strip().lower()


def _yaml(text: bytes) -> bytes:
    if len(text) > _LONGEST_YAML:
        raise status.too_large(f"a body of YAML may have at most {_LONGEST_YAML} bytes; JSON may be longer")
    try:
        return msgspec.json.encode(documents.read(text))
    except (documents.DocumentError, msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
        raise status.bad_request(f"cannot read the body as YAML: {error}") from None


def _typed(call: Call, what: type[Type], data: bytes, write: Write | None = None) -> Any:
    """Decode JSON, with fieldValidation's opinion on what the type does not know."""
    level = call.query.get("fieldValidation", "") if call.query else ""
    try:
        obj = codec.decode(what, data)
    except codec.DecodeError as error:
        raise _undecodable(what, error) from None
    if level in ("Strict", "Warn"):
        _validate_fields(level, what, data, write)
    elif level not in ("", "Ignore"):
        raise status.bad_request(f'Unsupported value: "{level}": supported values: "", "Ignore", "Strict", "Warn"')
    return obj


def _undecodable(what: type[Type], problem: object) -> status.StatusError:
    name = what.__name__
    return status.bad_request(f'{name} in version "v1" cannot be handled as a {name}: {problem}')


def _validate_fields(level: str, what: type[Type], data: bytes, write: Write | None) -> None:
    problems = codec.strict_problems(what, data)
    if problems and level == "Strict":
        raise _undecodable(what, codec.strict_message(problems))
    if write is not None:
        write.warnings = problems


def _patched(call: Call, what: type[Type], document: dict[str, Any]) -> Any:
    media = _media(call)
    if media not in _PATCHES:
        raise status.unsupported_media_type(_PATCHES)
    try:
        change = codec.parse(call.body)
    except codec.DecodeError as error:
        raise status.bad_request(f"error decoding patch: {error}") from None
    try:
        if media == JSON_PATCH:
            result = patch.json_patch(document, change)
        elif media == MERGE_PATCH:
            result = patch.merge_patch(document, change)
        else:
            result = patch.strategic_merge(what, document, change)
        data = msgspec.json.encode(result)
    except RecursionError:
        raise status.bad_request("error decoding patch: it is nested too deeply") from None
    except patch.PatchInapplicable as error:
        message = f"the server rejected our request due to an error in our request: {error}"
        raise status.StatusError(422, "Invalid", message) from None  # kubectl shows it only if nothing names the object
    except patch.PatchError as error:
        raise status.bad_request(str(error)) from None
    return _typed(call, what, data)


def _identify(body: Any, write: Write, what: type[Type]) -> None:
    """Hold the body's identity against the path's, and fill in what it leaves out."""
    call, target = write.call, write.call.target
    expected_kind, expected_version = _constants(what)
    if (body.api_version or expected_version) != expected_version:
        raise status.bad_request(
            f"the API version in the data ({body.api_version}) does not match the expected API version ({expected_version})"
        )
    if (body.kind or expected_kind) != expected_kind:
        raise status.bad_request(
            f'{body.kind} in version "{expected_version.rpartition("/")[2]}" cannot be handled as a {expected_kind}: '
            f"no kind {expected_kind} in the body"
        )
    body.kind, body.api_version = expected_kind, expected_version
    meta = body.metadata
    if (meta.namespace or target.namespace) != target.namespace:
        raise status.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    meta.namespace = target.namespace or None
    if write.operation == CREATE and call.verb == "create" and not target.subresource:
        return
    if (meta.name or target.name) != target.name:
        raise status.bad_request(
            f"the name of the object ({meta.name}) does not match the name on the URL ({target.name})"
        )
    meta.name = target.name


def _constants(what: type[Type]) -> tuple[str, str]:
    blank = what()
    return blank.kind, blank.api_version  # type: ignore[attr-defined]
