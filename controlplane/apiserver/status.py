"""Failures in upstream's form: metav1.Status with the codes, reasons and messages that clients look at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from api.kinds import Kind
from api.validation import Cause, summary

_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Subject:
    """What a failure is about: the resource (`deployments` in `apps`) and the object's name."""

    group: str
    resource: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.resource}.{self.group}" if self.group else self.resource

    def details(self) -> dict[str, Any]:
        """The `details` of a Status."""
        return {k: v for k, v in (("name", self.name), ("group", self.group), ("kind", self.resource)) if v}


def subject(kind: Kind[Any], name: str = "") -> Subject:
    """The subject of a failure about an object of `kind`."""
    return Subject(kind.group, kind.plural, name)


class StatusError(Exception):
    """A request that cannot be answered otherwise; carries what goes into the Status."""

    def __init__(
        self, code: int, reason: str, message: str, details: dict[str, Any] | None = None, continue_: str = ""
    ) -> None:
        super().__init__(message)
        self.code, self.reason, self.message, self.details, self.continue_ = code, reason, message, details, continue_

    def body(self) -> bytes:
        """The Status as JSON."""
        status: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {"continue": self.continue_} if self.continue_ else {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
        }
        if self.details is not None:
            status["details"] = self.details
        status["code"] = self.code
        return _encoder.encode(status)

    @property
    def retry_after(self) -> int:
        """Seconds for the Retry-After header, 0 for none."""
        return int((self.details or {}).get("retryAfterSeconds", 0))


def success(details: dict[str, Any] | None = None, code: int = 0) -> bytes:
    """The Status of something done that returns no object."""
    status: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    if details:
        status["details"] = details
    if code:
        status["code"] = code
    return _encoder.encode(status)


def not_found(what: Subject) -> StatusError:
    """No object of that name."""
    return StatusError(404, "NotFound", f'{what} "{what.name}" not found', what.details())


def no_such_path() -> StatusError:
    """No resource, or no handler, at that path."""
    return StatusError(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(what: Subject, is_going: bool = False) -> StatusError:
    """A create that met an object of that name, which may be on its way out."""
    about = "object is being deleted: " if is_going else ""
    return StatusError(409, "AlreadyExists", f'{about}{what} "{what.name}" already exists', what.details())


def name_not_generated(what: Subject) -> StatusError:
    """Every generated name was taken."""
    tail = "already exists, the server was not able to generate a unique name for the object"
    details = what.details() | {"retryAfterSeconds": 1}
    return StatusError(409, "AlreadyExists", f'{what} "{what.name}" {tail}', details)


def conflict(what: Subject, why: str) -> StatusError:
    """The object is not what the writer thought it was."""
    return StatusError(409, "Conflict", f'Operation cannot be fulfilled on {what} "{what.name}": {why}', what.details())


def modified(what: Subject) -> StatusError:
    """A conflict because somebody else wrote first."""
    return conflict(what, "the object has been modified; please apply your changes to the latest version and try again")


def forbidden(what: Subject, why: str) -> StatusError:
    """Not allowed, by authorization or admission."""
    named = f'{what} "{what.name}"' if what.name else str(what)
    message = f"{named} is forbidden: {why}" if what.resource else f"forbidden: {why}"
    return StatusError(403, "Forbidden", message, what.details())


def unauthorized() -> StatusError:
    """Credentials that are not valid."""
    return StatusError(401, "Unauthorized", "Unauthorized")


def invalid(kind: Kind[Any], name: str, causes: Sequence[Cause]) -> StatusError:
    """An object that breaks rules; one cause per field."""
    return invalid_object(kind.group, kind.name, name, causes)


def invalid_object(group: str, kind: str, name: str, causes: Sequence[Cause]) -> StatusError:
    """`invalid` for what is in no table of kinds (options, for instance)."""
    who = f"{kind}.{group}" if group else kind
    details: dict[str, Any] = {"name": name, "group": group, "kind": kind}
    details = {key: value for key, value in details.items() if value}
    details["causes"] = [{"reason": c.reason, "message": c.message, "field": c.field} for c in causes]
    return StatusError(422, "Invalid", f'{who} "{name}" is invalid: {summary(list(causes))}', details)


def bad_request(message: str) -> StatusError:
    """A request that makes no sense."""
    return StatusError(400, "BadRequest", message)


def expired(message: str, continue_: str = "") -> StatusError:
    """A revision that is no longer retained."""
    return StatusError(410, "Expired", message, continue_=continue_)


def too_large_version(asked: int, current: int) -> StatusError:
    """A revision that has not been written yet."""
    message = f"Too large resource version: {asked}, current: {current}"
    causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    return StatusError(504, "Timeout", f"Timeout: {message}", {"causes": causes, "retryAfterSeconds": 1})


def method_not_allowed(what: Subject, action: str) -> StatusError:
    """A verb that the resource does not have."""
    return StatusError(
        405, "MethodNotAllowed", f'{action} is not supported on resources of kind "{what}"', what.details()
    )


def plain_method_not_allowed() -> StatusError:
    """A method that the path does not have."""
    return StatusError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {})


def not_acceptable(offered: Iterable[str]) -> StatusError:
    """No representation that the client accepts."""
    message = f"only the following media types are accepted: {', '.join(offered)}"
    return StatusError(406, "NotAcceptable", message)


def unsupported_media_type(offered: Iterable[str]) -> StatusError:
    """A body in a form that cannot be read here."""
    message = f"the body of the request was in an unknown format - accepted media types include: {', '.join(offered)}"
    return StatusError(415, "UnsupportedMediaType", message)


def too_large(message: str) -> StatusError:
    """More than is taken."""
    return StatusError(413, "RequestEntityTooLarge", f"Request entity too large: {message}")


def internal_error(message: str) -> StatusError:
    """A fault of ours."""
    return StatusError(500, "InternalError", f"Internal error occurred: {message}", {"causes": [{"message": message}]})


def unavailable(message: str) -> StatusError:
    """Not now; the client may try again."""
    return StatusError(503, "ServiceUnavailable", message, {"retryAfterSeconds": 1})


def too_many_requests(message: str, retry_after: int = 1) -> StatusError:
    """Too much at once; the client may try again."""
    return StatusError(429, "TooManyRequests", message, {"retryAfterSeconds": retry_after})
