"""The rules that hold without any role: those of the cluster's own programs.

They are there before the first role is, and stay when somebody deletes too much. Nodes have theirs in `node_access.py`. What people and
pods may do, discovery and health included, is said by roles alone, so that an administrator can take all of it away.
"""

from __future__ import annotations

from api import kinds
from controlplane.apiserver.access.policies import Given
from controlplane.apiserver.access.rules import line
from controlplane.apiserver.identity.users import MASTERS

_READ, _ALL = "get list watch", "get list watch create update patch delete deletecollection"
_EVENTS = (line("create update patch", "events"), line("create update patch", "events", group="events.k8s.io"))
_REVIEWS = (
    line("create", "tokenreviews", group="authentication.k8s.io"),
    line("create", "subjectaccessreviews", group="authorization.k8s.io"),
)
_LEASES = "coordination.k8s.io"
_APPS = "apps"
_CERTIFICATES = "certificates.k8s.io"

SCHEDULER = (
    line(_READ, "pods nodes namespaces services"),
    line(_READ, "replicasets", group=_APPS),
    line("delete", "pods"),
    line("create", "pods/binding"),
    line("patch update", "pods/status"),
    line("create get update", "leases", group=_LEASES),
    *_EVENTS,
    *_REVIEWS,
)
PROXY = (
    line("list watch", "services endpoints namespaces"),
    line("list watch", "endpointslices", group="discovery.k8s.io"),
    line(_READ, "nodes"),
    *_EVENTS,
)
NETWORK = (  # who reads no policies lets no new pod be heard
    line(_READ, "pods namespaces nodes"),
    line(_READ, "networkpolicies", group="networking.k8s.io"),
)
CONTROLLERS = (
    *(
        line(_ALL, " ".join(kind.plural for kind in kinds.ALL if kind.group == group), group=group or "")
        for group in dict.fromkeys(kind.group for kind in kinds.ALL)
    ),
    line("get update patch", "*/status */scale */finalize", group="*"),
    line("create", "serviceaccounts/token pods/eviction"),
    line("update patch", "certificatesigningrequests/approval", group=_CERTIFICATES),
    line("approve sign", "signers", group=_CERTIFICATES),
    line("escalate bind", "clusterroles roles", group="rbac.authorization.k8s.io"),
    *_REVIEWS,
)
_EVERYTHING = (line("*", "*", group="*"), line("*", urls="*"))

GIVEN = (
    Given("Group", MASTERS, _EVERYTHING),
    Given("User", "system:kube-scheduler", SCHEDULER),
    Given("User", "system:kube-controller-manager", CONTROLLERS),
    Given("User", "system:kube-proxy", PROXY),
    Given("User", "wherry:network", NETWORK),
)
