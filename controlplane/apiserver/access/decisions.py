"""The one decision: may this user do that? A pure function of user, attributes and facts, for the step as for reviews.

`system:masters` may do everything. A node's agent is judged by its node's rules first. Then the roles decide. Nobody is ever forbidden
what another rule allows; a reason tells why nothing did.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import msgspec

from api.rbac_v1 import PolicyRule
from controlplane.apiserver import node_access, status
from controlplane.apiserver.access.attributes import Attributes
from controlplane.apiserver.access.policies import Policies
from controlplane.apiserver.cache import Cache
from controlplane.apiserver.call import User
from controlplane.apiserver.identity.users import MASTERS

_NO_NODE_RULES = "node authorizer does not support user rule resolution"


class Facts(Protocol):
    """What decisions depend on."""

    @property
    def cache(self) -> Cache: ...

    @property
    def policies(self) -> Policies: ...


class Decision(NamedTuple):
    """`reason` says by which binding it is allowed, or what stands in the way."""

    allowed: bool
    reason: str = ""


_MASTER = Decision(True)


def decide(user: User, wanted: Attributes, facts: Facts) -> Decision:
    """Whether the user may do this."""
    if MASTERS in user.groups:
        return _MASTER
    reasons = []
    if node := node_access.node_of(user):
        refusal = node_access.judge(node, wanted, facts.cache)
        if refusal is None:
            return Decision(True)
        if refusal:
            reasons.append(refusal)
    grants = facts.policies.grants(user, wanted.namespace)
    source = grants.source(wanted)
    if source is not None:
        return Decision(True, f"RBAC: allowed by {source}")
    if grants.errors:
        reasons.append(f"RBAC: {joined(grants.errors)}")
    return Decision(False, "\n".join(reasons))


def may(user: User, wanted: Attributes, facts: Facts) -> bool:
    """The decision alone."""
    return decide(user, wanted, facts).allowed


def require(user: User, wanted: Attributes, facts: Facts) -> None:
    """Raise Forbidden unless the user may do this."""
    decision = decide(user, wanted, facts)
    if not decision.allowed:
        raise forbidden(user, wanted, decision.reason)


def rules_for(user: User, namespace: str, facts: Facts) -> tuple[list[PolicyRule], tuple[str, ...], bool]:
    """The rules that roles give a user in a namespace, each once; what could not be found out; whether there is more."""
    grants = facts.policies.grants(user, namespace)
    rules = {msgspec.json.encode(grant.rule): grant.rule for grant in grants.all if not grant.given}
    node = bool(node_access.node_of(user))
    return list(rules.values()), (*((_NO_NODE_RULES,) if node else ()), *grants.errors), node


def forbidden(user: User, wanted: Attributes, reason: str = "") -> status.StatusError:
    """The refusal, in upstream's words."""
    text = refusal(user, wanted)
    return status.forbidden(
        status.Subject(wanted.group, wanted.resource, wanted.name), f"{text}: {reason}" if reason else text
    )


def refusal(user: User, wanted: Attributes) -> str:
    """Who cannot do what, and where. What came from outside is made harmless for browsers."""
    if wanted.path:
        text = f'User "{user.name}" cannot {wanted.verb} path "{wanted.path}"'
    else:
        where = f'in the namespace "{wanted.namespace}"' if wanted.namespace else "at the cluster scope"
        what = f'resource "{wanted.combined}" in API group "{wanted.group}"'
        text = f'User "{user.name}" cannot {wanted.verb} {what} {where}'
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def joined(errors: tuple[str, ...]) -> str:
    """Several errors as one."""
    unique = tuple(dict.fromkeys(errors))
    return unique[0] if len(unique) == 1 else f"[{', '.join(unique)}]"
