"""What is neither read nor written as it stands: reviews, tokens, evictions, connections. One file each; the table is here.

An action gets the call after it has been authenticated, routed and authorized. It is looked up by kind and subresource ("" for the kind
itself), and sees to the verbs that `api.kinds` grants it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from api import kinds
from api.kinds import Kind
from controlplane.apiserver.actions import (
    bindings,
    components,
    connections,
    eviction,
    logs,
    measures,
    proxies,
    reviews,
    tokens,
)
from controlplane.apiserver.call import Call, Result

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

Action = Callable[[Call, "Core"], Result | Awaitable[Result]]

ACTIONS: dict[tuple[Kind[Any], str], Action] = {
    (kinds.BINDING, ""): bindings.bind,
    (kinds.COMPONENT_STATUS, ""): components.show,
    (kinds.NODE_METRICS, ""): measures.nodes,
    (kinds.POD_METRICS, ""): measures.pods,
    (kinds.NODE, "proxy"): proxies.pass_through,
    (kinds.POD, "attach"): connections.connect,
    (kinds.POD, "eviction"): eviction.evict,
    (kinds.POD, "exec"): connections.connect,
    (kinds.POD, "log"): logs.log,
    (kinds.POD, "portforward"): connections.connect,
    (kinds.POD, "proxy"): proxies.pass_through,
    (kinds.SERVICE, "proxy"): proxies.pass_through,
    (kinds.SERVICE_ACCOUNT, "token"): tokens.token,
    (kinds.TOKEN_REVIEW, ""): reviews.token_review,
    (kinds.SELF_SUBJECT_REVIEW, ""): reviews.self_subject_review,
    (kinds.SUBJECT_ACCESS_REVIEW, ""): reviews.subject_access_review,
    (kinds.LOCAL_SUBJECT_ACCESS_REVIEW, ""): reviews.local_subject_access_review,
    (kinds.SELF_SUBJECT_ACCESS_REVIEW, ""): reviews.self_subject_access_review,
    (kinds.SELF_SUBJECT_RULES_REVIEW, ""): reviews.self_subject_rules_review,
}
