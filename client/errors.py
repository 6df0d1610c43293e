"""Why the API server said no: one class per answer that callers tell apart. Each carries the server's Status."""

from __future__ import annotations

import msgspec

from api import codec
from api.meta_v1 import Status, StatusDetails

_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    406: "NotAcceptable",
    409: "Conflict",
    410: "Expired",
    413: "RequestEntityTooLarge",
    415: "UnsupportedMediaType",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


class ApiError(Exception):
    """The API server refused or could not be asked."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.message or status.reason or "the API server gave no reason")
        self.status = status

    @property
    def code(self) -> int:
        """The HTTP status; 0 when there was no answer."""
        return self.status.code or 0

    @property
    def reason(self) -> str:
        """The machine-readable reason, such as AlreadyExists."""
        return self.status.reason or ""

    @property
    def retry_after(self) -> float:
        """Seconds the server asks to wait, or 0."""
        details = self.status.details
        return float(details.retry_after_seconds or 0) if details else 0.0


class BadRequest(ApiError):
    """The request makes no sense."""


class Unauthorized(ApiError):
    """The server does not know who asks."""


class Forbidden(ApiError):
    """Who asks may not do this."""


class NotFound(ApiError):
    """The object, or the kind, is not there."""


class Conflict(ApiError):
    """The object has changed since it was read, or a precondition does not hold."""


class AlreadyExists(ApiError):
    """An object of that name is there already."""


class Expired(ApiError):
    """The asked revision is no longer retained: list again."""


class Invalid(ApiError):
    """The object breaks rules; `status.details.causes` names the fields."""


class Retryable(ApiError):
    """The same request may succeed later."""


class TooManyRequests(Retryable):
    """The server has too much to do, or the object may not be touched now."""


class Unavailable(Retryable):
    """The server cannot be reached or cannot answer now. Whether a write happened is unknown."""


_BY_REASON: dict[str, type[ApiError]] = {
    "AlreadyExists": AlreadyExists,
    "Conflict": Conflict,
    "Expired": Expired,
    "Gone": Expired,
    "NotFound": NotFound,
    "Invalid": Invalid,
    "Forbidden": Forbidden,
    "TooManyRequests": TooManyRequests,
    "ServerTimeout": Unavailable,
    "Timeout": Unavailable,
    "ServiceUnavailable": Unavailable,
}
_BY_CODE: dict[int, type[ApiError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Expired,
    422: Invalid,
    429: TooManyRequests,
}


def from_status(status: Status) -> ApiError:
    """The error that this Status means: by its reason, else by its code."""
    kind = _BY_REASON.get(status.reason or "") or _BY_CODE.get(status.code or 0)
    if kind is None:
        kind = Unavailable if (status.code or 0) >= 500 else ApiError
    return kind(status)


def make(code: int, message: str, reason: str = "", details: StatusDetails | None = None) -> ApiError:
    """An error of our own making, in the server's form."""
    reason = reason or _REASONS.get(code, "")
    return from_status(Status(status="Failure", message=message, reason=reason, code=code, details=details))


def from_answer(code: int, body: bytes, what: str) -> ApiError:
    """The error in an HTTP answer; `what` was asked, for answers that are no Status."""
    try:
        status = codec.decode(Status, body)
        if status.status == "Failure" and status.kind == "Status":
            if not status.code:
                status = msgspec.structs.replace(status, code=code)
            return from_status(status)
    except codec.DecodeError:
        pass
    text = body[:200].decode(errors="replace").strip()
    return make(code, f"cannot {what}: the server answered {code}{': ' + text if text else ''}")


def unavailable(message: str) -> Unavailable:
    """No answer at all."""
    return Unavailable(Status(status="Failure", message=message, reason="ServiceUnavailable", code=0))
