"""apiextensions.k8s.io/v1: CustomResourceDefinitions."""

from typing import Annotated

from api.fields import NOTHING, F, Int32, Int64, Json, Nothing, Time, Type, constant, required
from api.meta_v1 import ObjectMeta


class CustomResourceDefinitionNames(Type):
    plural: Annotated[str, F(1)] = required(str)
    singular: Annotated[str | None, F(2)] = None
    short_names: Annotated[list[str], F(3, atomic=True)] = []
    kind: Annotated[str, F(4)] = required(str)
    list_kind: Annotated[str | None, F(5)] = None
    categories: Annotated[list[str], F(6, atomic=True)] = []


class CustomResourceValidation(Type):
    open_api_v3_schema: Annotated[Json | Nothing, F(1)] = NOTHING


class CustomResourceSubresourceStatus(Type):
    pass


class CustomResourceSubresourceScale(Type):
    spec_replicas_path: Annotated[str, F(1)] = required(str)
    status_replicas_path: Annotated[str, F(2)] = required(str)
    label_selector_path: Annotated[str | None, F(3, explicit=True)] = None


class CustomResourceSubresources(Type):
    status: Annotated[CustomResourceSubresourceStatus | None, F(1)] = None
    scale: Annotated[CustomResourceSubresourceScale | None, F(2)] = None


class CustomResourceColumnDefinition(Type):
    name: Annotated[str, F(1)] = required(str)
    type: Annotated[str, F(2)] = required(str)
    format: Annotated[str | None, F(3)] = None
    description: Annotated[str | None, F(4)] = None
    priority: Annotated[Int32 | None, F(5)] = None
    json_path: Annotated[str, F(6)] = required(str)


class SelectableField(Type):
    json_path: Annotated[str, F(1)] = required(str)


class CustomResourceDefinitionVersion(Type):
    name: Annotated[str, F(1)] = required(str)
    served: Annotated[bool, F(2)] = required(bool)
    storage: Annotated[bool, F(3)] = required(bool)
    deprecated: Annotated[bool | None, F(7)] = None
    deprecation_warning: Annotated[str | None, F(8, explicit=True)] = None
    schema: Annotated[CustomResourceValidation | None, F(4)] = None
    subresources: Annotated[CustomResourceSubresources | None, F(5)] = None
    additional_printer_columns: Annotated[list[CustomResourceColumnDefinition], F(6, atomic=True)] = []
    selectable_fields: Annotated[list[SelectableField], F(9, atomic=True)] = []


class ServiceReference(Type):
    namespace: Annotated[str, F(1)] = required(str)
    name: Annotated[str, F(2)] = required(str)
    path: Annotated[str | None, F(3, explicit=True)] = None
    port: Annotated[Int32 | None, F(4, explicit=True)] = None


class WebhookClientConfig(Type):
    url: Annotated[str | None, F(3, explicit=True)] = None
    service: Annotated[ServiceReference | None, F(1)] = None
    ca_bundle: Annotated[bytes | None, F(2)] = None


class WebhookConversion(Type):
    client_config: Annotated[WebhookClientConfig | None, F(2)] = None
    conversion_review_versions: Annotated[list[str], F(3, atomic=True)] = required(list)


class CustomResourceConversion(Type):
    strategy: Annotated[str, F(1)] = required(str)
    webhook: Annotated[WebhookConversion | None, F(2)] = None


class CustomResourceDefinitionSpec(Type):
    group: Annotated[str, F(1)] = required(str)
    names: Annotated[CustomResourceDefinitionNames, F(3)] = required(CustomResourceDefinitionNames)
    scope: Annotated[str, F(4)] = required(str)
    versions: Annotated[list[CustomResourceDefinitionVersion], F(7, atomic=True)] = required(list)
    conversion: Annotated[CustomResourceConversion | None, F(9)] = None
    preserve_unknown_fields: Annotated[bool | None, F(10)] = None


class CustomResourceDefinitionCondition(Type):
    type: Annotated[str, F(1)] = required(str)
    status: Annotated[str, F(2)] = required(str)
    last_transition_time: Annotated[Time | None, F(3)] = None
    reason: Annotated[str | None, F(4)] = None
    message: Annotated[str | None, F(5)] = None
    observed_generation: Annotated[Int64 | None, F(6)] = None


class CustomResourceDefinitionStatus(Type):
    conditions: Annotated[list[CustomResourceDefinitionCondition], F(1, keys=("type",))] = required(list)
    accepted_names: Annotated[CustomResourceDefinitionNames, F(2)] = required(CustomResourceDefinitionNames)
    stored_versions: Annotated[list[str], F(3, atomic=True)] = required(list)
    observed_generation: Annotated[Int64 | None, F(4)] = None


class CustomResourceDefinition(Type):
    kind: str = constant("CustomResourceDefinition")
    api_version: str = constant("apiextensions.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[CustomResourceDefinitionSpec, F(2)] = required(CustomResourceDefinitionSpec)
    status: Annotated[CustomResourceDefinitionStatus, F(3)] = required(CustomResourceDefinitionStatus)
