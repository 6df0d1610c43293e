"""Step: as whom the request goes on, if its headers name somebody else. Whoever may not act as that user is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controlplane.apiserver.access.attributes import of
from controlplane.apiserver.call import Call
from controlplane.apiserver.identity.impersonation import impersonated, wanted

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core


def impersonate(call: Call, core: Core) -> None:
    """Replace `call.user`."""
    if not call.impersonation:
        return
    assert call.user is not None
    whom = wanted(call.impersonation)
    if whom is not None:
        call.user = impersonated(call.user, whom, of(call), core)
