"""Step: may the user do this? The decision is made in `access/decisions.py`; a refusal names who wanted what, and why not.

A path that leads nowhere is judged as well: whether there is such a resource is told only to those who might use it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from controlplane.apiserver.access.attributes import of
from controlplane.apiserver.access.decisions import require
from controlplane.apiserver.call import Call
from controlplane.apiserver.identity.users import MASTERS
from controlplane.apiserver.node_access import node_of, restrict_writes

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core


def authorize(call: Call, core: Core) -> None:
    """Raise Forbidden unless the user may do this."""
    user = call.user
    assert user is not None
    if MASTERS not in user.groups:
        require(user, of(call), core)
        if node := node_of(user):
            restrict_writes(node, call, core)
