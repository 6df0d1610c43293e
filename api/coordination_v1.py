"""coordination.k8s.io/v1: Leases."""

from typing import Annotated

from api.fields import F, Int32, MicroTime, Type, constant, required
from api.meta_v1 import ObjectMeta


class LeaseSpec(Type):
    """Who holds it, since when, and for how long.

    holder_identity: who holds it
    lease_duration_seconds: for how long, from the last renewal
    acquire_time: since when
    renew_time: when it was renewed last
    lease_transitions: how often the holder has changed
    """

    holder_identity: Annotated[str | None, F(1, explicit=True)] = None
    lease_duration_seconds: Annotated[Int32 | None, F(2, explicit=True)] = None
    acquire_time: Annotated[MicroTime | None, F(3)] = None
    renew_time: Annotated[MicroTime | None, F(4)] = None
    lease_transitions: Annotated[Int32 | None, F(5, explicit=True)] = None
    strategy: Annotated[str | None, F(6, explicit=True)] = None
    preferred_holder: Annotated[str | None, F(7, explicit=True)] = None


class Lease(Type):
    """Says who holds something for a while: the lead among controllers, or that a node is alive."""

    kind: str = constant("Lease")
    api_version: str = constant("coordination.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[LeaseSpec, F(2)] = required(LeaseSpec)
