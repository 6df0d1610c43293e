"""Step: who asks. A client certificate or a bearer token names a user; without either one is anonymous; a bad one is refused."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from controlplane.apiserver import status
from controlplane.apiserver.call import Call, User
from controlplane.apiserver.identity.users import ANONYMOUS, AUTHENTICATED, CREDENTIAL_ID

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core


def authenticate(call: Call, core: Core) -> None:
    """Set `call.user`. Callers in this process bring their user along. A certificate counts before a token."""
    if call.user is not None:
        return
    if call.subject is not None:
        call.user = _of_certificate(*call.subject, call.fingerprint)
    elif call.token:
        verdict = core.tokens.review(call.token)
        if verdict.user is None:
            raise status.unauthorized()
        call.user = verdict.user
        if verdict.warning and verdict.warning not in call.warnings:
            call.warnings.append(verdict.warning)
    else:
        call.user = ANONYMOUS


@lru_cache(maxsize=4096)
def _of_certificate(common_name: str, organizations: tuple[str, ...], fingerprint: str = "") -> User:
    extra = ((CREDENTIAL_ID, (f"X509SHA256={fingerprint}",)),) if fingerprint else ()
    return User(common_name, (*organizations, AUTHENTICATED), "", extra)
