"""What the controllers are told once."""

from __future__ import annotations

import msgspec


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Facts of the cluster, and the few limits that may be chosen."""

    ca_pem: str = ""
    """Published to every namespace, so that pods can trust the API server."""
    pod_cidr: str = "10.244.0.0/16"
    """One or, separated by a comma, one of each address family."""
    node_cidr_size: int = 24
    node_cidr_size_v6: int = 64
    node_grace: float = 40.0
    """Seconds without a sign of life after which a node is not trusted any more."""
    node_startup_grace: float = 60.0
    terminated_pods: int = 12500
    """Finished pods beyond this number are deleted, oldest first."""
