"""Step: the result in the form that the client asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controlplane.apiserver import options
from controlplane.apiserver.call import JSON, Answer, Call, Found, Listed
from controlplane.apiserver.representation import Representation
from controlplane.apiserver.status import StatusError
from controlplane.apiserver.tables.scaling import SCALE

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core


_BROWSERS = ("curl", "Wget", "Mozilla/5.0")  # behind which people sit


def representation(call: Call, core: Core) -> Representation:
    """The form of the answer. Raises StatusError 406."""
    include = call.query.get("includeObject", "") if call.query else ""
    form = core.representations.negotiate(call.accept, include, pretty=for_people(call), tables=_has_columns(call))
    shown_as = call.target.shown_as
    return form if shown_as is None else core.representations.converted(form, shown_as)


def encode(call: Call, core: Core, result: Found | Listed | Answer) -> Answer:
    """Make the whole answer."""
    if isinstance(result, Answer):
        return _in_form(result, call, core)
    form = representation(call, core)
    if isinstance(result, Listed):
        return Answer(form.collection(result), 200, form.content_type)
    kind = SCALE if call.target.subresource == "scale" else result.kind
    return Answer(form.object(kind, result.data), result.status, form.content_type, result.headers)


def refuse(error: StatusError, call: Call, core: Core) -> Answer:
    """The Status of a failure."""
    headers = (("Retry-After", str(error.retry_after)),) if error.retry_after else ()
    form = core.representations.of_failures(call.accept, pretty=for_people(call))
    return Answer(form.answer(error.body()), error.code, form.content_type, headers)


def _in_form(answer: Answer, call: Call, core: Core) -> Answer:
    """A Status or a review in the client's form; what is no object of the API is as it is."""
    if answer.content_type == JSON and call.target.kind is not None and answer.body[:1] == b"{":
        form = core.representations.of_failures(call.accept, pretty=for_people(call))
        if form is not core.representations.json:
            answer.body, answer.content_type = form.answer(answer.body), form.content_type
    return answer


def for_people(call: Call) -> bool:
    """Whether the answer is to be indented."""
    pretty = call.agent.startswith(_BROWSERS)
    return options.pretty(call.query, pretty) if call.query else pretty


def _has_columns(call: Call) -> bool:
    """Whether there is a table of what is answered: not of what is only ever asked."""
    kind = call.target.kind
    if kind is None:
        return True
    return kind.verbs != ("create",) and not (call.target.subresource and call.verb == "create")
