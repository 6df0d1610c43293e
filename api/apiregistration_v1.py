"""apiregistration.k8s.io/v1: APIServices, the servers behind groups and versions."""

from typing import Annotated

import msgspec

from api.fields import F, Int32, Time, Type, constant, required
from api.meta_v1 import ObjectMeta


class ServiceReference(Type):
    """A service in the cluster, with its port."""

    namespace: Annotated[str | None, F(1)] = None
    name: Annotated[str | None, F(2)] = None
    port: Annotated[Int32 | None, F(3, explicit=True)] = None


class APIServiceSpec(Type):
    """Which group and version, with what priority, and the service that answers for it."""

    service: Annotated[ServiceReference | None, F(1)] = None
    group: Annotated[str | None, F(2)] = None
    version: Annotated[str | None, F(3)] = None
    insecure_skip_tls_verify: Annotated[bool | None, F(4)] = msgspec.field(default=None, name="insecureSkipTLSVerify")
    ca_bundle: Annotated[bytes | None, F(5, atomic=True)] = None
    group_priority_minimum: Annotated[Int32, F(7)] = required(int)
    version_priority: Annotated[Int32, F(8)] = required(int)


class APIServiceCondition(Type):
    """One thing that is, or is not, the case with an APIService."""

    type: Annotated[str, F(1)] = required(str)
    status: Annotated[str, F(2)] = required(str)
    last_transition_time: Annotated[Time | None, F(3)] = None
    reason: Annotated[str | None, F(4)] = None
    message: Annotated[str | None, F(5)] = None


class APIServiceStatus(Type):
    """Whether the group and version can be reached."""

    conditions: Annotated[list[APIServiceCondition], F(1, merge="type")] = []


class APIService(Type):
    """A group and version of the API, and who serves it."""

    kind: str = constant("APIService")
    api_version: str = constant("apiregistration.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[APIServiceSpec, F(2)] = required(APIServiceSpec)
    status: Annotated[APIServiceStatus, F(3)] = required(APIServiceStatus)
