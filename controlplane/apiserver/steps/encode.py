"""Step: the result in the form that the client asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controlplane.apiserver.call import JSON, Answer, Call, Found, Listed
from controlplane.apiserver.representation import Representation
from controlplane.apiserver.status import StatusError
from controlplane.apiserver.tables.scaling import SCALE

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core


def representation(call: Call, core: Core) -> Representation:
    """The form of the answer. Raises StatusError 406."""
    include = call.query.get("includeObject", "") if call.query else ""
    form = core.representations.negotiate(call.accept, include)
    shown_as = call.target.shown_as
    return form if shown_as is None else core.representations.converted(form, shown_as)


def encode(call: Call, core: Core, result: Found | Listed | Answer) -> Answer:
    """Make the whole answer."""
    if isinstance(result, Answer):
        return result
    form = representation(call, core)
    if isinstance(result, Listed):
        return Answer(form.collection(result), 200, form.content_type)
    kind = SCALE if call.target.subresource == "scale" else result.kind
    return Answer(form.object(kind, result.data), result.status, form.content_type, result.headers)


def refuse(error: StatusError) -> Answer:
    """The Status of a failure."""
    headers = (("Retry-After", str(error.retry_after)),) if error.retry_after else ()
    return Answer(error.body(), error.code, JSON, headers)
