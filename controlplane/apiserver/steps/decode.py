"""Step: what the body says, as the new object: the body itself, a patch applied to the old object, or a view (scale, binding) carried over.

The object keeps the identity that the path gave it; a body that names another kind, namespace or name is a bad request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from api import codec, kinds, moments
from api.defaults.quantities import canonical_quantities
from api.fields import Type
from controlplane.apiserver import status, views
from controlplane.apiserver.call import Call
from controlplane.apiserver.steps import apply
from controlplane.apiserver.steps.apply import APPLY_YAML
from controlplane.apiserver.steps.bodies import media, read_body, undecodable
from controlplane.apiserver.steps.patches import patched
from controlplane.apiserver.steps.warn import drop_double_owners
from controlplane.apiserver.write import CREATE, Write
from controlplane.apiserver.write_options import field_validation

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

__all__ = ["creates", "decode", "read_body"]

_SCHEME = "pkg/api/legacyscheme/scheme.go:30"  # as upstream names its table of kinds


def decode(write: Write, core: Core) -> None:
    """Set `write.new`."""
    call = write.call
    view = views.view(write.kind, write.subresource, call.target.shown_as)
    if call.verb == "patch" and media(call) == APPLY_YAML:
        body = apply.applied(write, view)
    elif call.verb == "patch":
        body = patched(call, view.type, _document(write, view))
    else:
        body = read_body(call, view.type, field_validation(call))
    try:
        moments.normalize(body)
        canonical_quantities(body)
    except codec.DecodeError as error:
        raise undecodable(view.type, codec.encode(body), str(error)) from None
    _identify(body, write, view.type)
    drop_double_owners(write, body.metadata)
    write.asked_revision = body.metadata.resource_version or ""
    write.new = view.carry(body, write)


def _document(write: Write, view: views.View) -> dict[str, Any]:
    """What a patch is applied to: without managedFields, which are large, unless the patch is about them."""
    meta = write.old.metadata
    kept = meta.managed_fields
    if kept and type(view) is views.View and b"managedFields" not in write.call.body:
        meta.managed_fields = []
        try:
            document: dict[str, Any] = msgspec.to_builtins(write.old)
            return document
        except TypeError:
            pass  # there is JSON in it that is kept as it came
        finally:
            meta.managed_fields = kept
    return view.show(write.old, write.entry)


def creates(call: Call) -> bool:
    """Whether a patch makes the object if it is not there."""
    return media(call) == APPLY_YAML


def _identify(body: Any, write: Write, what: type[Type]) -> None:
    """Hold the body's identity against the path's, and fill in what it leaves out."""
    call, target = write.call, write.call.target
    blank: Any = what()
    _check_type(body.kind or blank.kind, body.api_version or blank.api_version, what, blank)
    body.kind, body.api_version = blank.kind, blank.api_version
    meta = body.metadata
    if (meta.namespace or target.namespace) != target.namespace:
        raise status.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    meta.namespace = target.namespace or None
    if write.operation == CREATE and call.verb == "create" and not target.subresource:
        return
    if not meta.name and call.verb != "create":
        about = f"the name of the object ({target.name} based on URL) was undeterminable"
        raise status.bad_request(f"{about}: name must be provided")
    if (meta.name or target.name) != target.name:
        raise status.bad_request(
            f"the name of the object ({meta.name}) does not match the name on the URL ({target.name})"
        )
    meta.name = target.name


def _check_type(kind: str, api_version: str, what: type[Type], blank: Any) -> None:
    if (kind, api_version) == (blank.kind, blank.api_version):
        return
    if kind == blank.kind:
        raise status.bad_request(
            f"the API version in the data ({api_version}) does not match the expected API version ({blank.api_version})"
        )
    version = api_version.rpartition("/")[2]
    if any((known.name, known.api_version) == (kind, api_version) for known in kinds.SERVED):
        internal = what.__module__.rpartition(".")[2].rpartition("_")[0]
        why = f"converting ({version}.{kind}) to ({internal}.{blank.kind}): unknown conversion"
    else:
        why = f'no kind "{kind}" is registered for version "{api_version}" in scheme "{_SCHEME}"'
    raise status.bad_request(f'{kind} in version "{version}" cannot be handled as a {blank.kind}: {why}')
