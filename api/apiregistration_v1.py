"""apiregistration.k8s.io/v1: APIServices, the servers behind groups and versions."""

from typing import Annotated

import msgspec

from api.fields import F, Int32, Time, Type, constant, required
from api.meta_v1 import ObjectMeta


class ServiceReference(Type):
    namespace: Annotated[str | None, F(1)] = None
    name: Annotated[str | None, F(2)] = None
    port: Annotated[Int32 | None, F(3, explicit=True)] = None


class APIServiceSpec(Type):
    service: Annotated[ServiceReference | None, F(1)] = None
    group: Annotated[str | None, F(2)] = None
    version: Annotated[str | None, F(3)] = None
    insecure_skip_tls_verify: Annotated[bool | None, F(4)] = msgspec.field(default=None, name="insecureSkipTLSVerify")
    ca_bundle: Annotated[bytes | None, F(5)] = None
    group_priority_minimum: Annotated[Int32, F(7)] = required(int)
    version_priority: Annotated[Int32, F(8)] = required(int)


class APIServiceCondition(Type):
    type: Annotated[str, F(1)] = required(str)
    status: Annotated[str, F(2)] = required(str)
    last_transition_time: Annotated[Time | None, F(3)] = None
    reason: Annotated[str | None, F(4)] = None
    message: Annotated[str | None, F(5)] = None


class APIServiceStatus(Type):
    conditions: Annotated[list[APIServiceCondition], F(1, merge="type")] = []


class APIService(Type):
    kind: str = constant("APIService")
    api_version: str = constant("apiregistration.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[APIServiceSpec, F(2)] = required(APIServiceSpec)
    status: Annotated[APIServiceStatus, F(3)] = required(APIServiceStatus)
