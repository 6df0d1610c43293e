"""apiextensions.k8s.io/v1: CustomResourceDefinitions."""

from typing import Annotated

import msgspec

from api import choices
from api.fields import NOTHING, F, Int32, Int64, Json, Nothing, Time, Type, constant, required
from api.meta_v1 import ObjectMeta


class CustomResourceDefinitionNames(Type):
    """What a custom kind is called: in paths, in objects, on the command line."""

    plural: Annotated[str, F(1)] = required(str)
    singular: Annotated[str | None, F(2)] = None
    short_names: Annotated[list[str], F(3, atomic=True)] = []
    kind: Annotated[str, F(4)] = required(str)
    list_kind: Annotated[str | None, F(5)] = None
    categories: Annotated[list[str], F(6, atomic=True)] = []


class ExternalDocumentation(Type):
    """Where more can be read."""

    description: Annotated[str | None, F(1)] = None
    url: Annotated[str | None, F(2)] = None


class ValidationRule(Type):
    """An expression in CEL that must be true of a value."""

    rule: Annotated[str, F(1)] = required(str)
    message: Annotated[str | None, F(2)] = None
    message_expression: Annotated[str | None, F(3)] = None
    reason: Annotated[str | None, F(4, explicit=True, among=choices.FAILURE_REASONS)] = None
    field_path: Annotated[str | None, F(5)] = None
    optional_old_self: Annotated[bool | None, F(6, explicit=True)] = None


class JSONSchemaProps(Type):
    """A schema of objects; some of its parts may be schemas or something else in their place."""

    id: Annotated[str | None, F(1)] = None
    schema: Annotated[str | None, F(2)] = msgspec.field(default=None, name="$schema")
    ref: Annotated[str | None, F(3, explicit=True)] = msgspec.field(default=None, name="$ref")
    description: Annotated[str | None, F(4)] = None
    type: Annotated[str | None, F(5)] = None
    format: Annotated[str | None, F(6)] = None
    title: Annotated[str | None, F(7)] = None
    default: Annotated[Json | Nothing, F(8, either="JSON")] = NOTHING
    maximum: Annotated[int | float | None, F(9, explicit=True)] = None
    exclusive_maximum: Annotated[bool | None, F(10)] = None
    minimum: Annotated[int | float | None, F(11, explicit=True)] = None
    exclusive_minimum: Annotated[bool | None, F(12)] = None
    max_length: Annotated[Int64 | None, F(13, explicit=True)] = None
    min_length: Annotated[Int64 | None, F(14, explicit=True)] = None
    pattern: Annotated[str | None, F(15)] = None
    max_items: Annotated[Int64 | None, F(16, explicit=True)] = None
    min_items: Annotated[Int64 | None, F(17, explicit=True)] = None
    unique_items: Annotated[bool | None, F(18)] = None
    multiple_of: Annotated[int | float | None, F(19, explicit=True)] = None
    enum: Annotated[list[Json], F(20, atomic=True, either="JSON")] = []
    max_properties: Annotated[Int64 | None, F(21, explicit=True)] = None
    min_properties: Annotated[Int64 | None, F(22, explicit=True)] = None
    required: Annotated[list[str], F(23, atomic=True)] = []
    items: Annotated["JSONSchemaProps | list[JSONSchemaProps] | None", F(24, either="array")] = None
    all_of: Annotated[list["JSONSchemaProps"], F(25, atomic=True)] = []
    one_of: Annotated[list["JSONSchemaProps"], F(26, atomic=True)] = []
    any_of: Annotated[list["JSONSchemaProps"], F(27, atomic=True)] = []
    not_: Annotated["JSONSchemaProps | None", F(28)] = None
    properties: Annotated[dict[str, "JSONSchemaProps"], F(29)] = {}
    additional_properties: Annotated["JSONSchemaProps | bool | None", F(30, either="bool")] = None
    pattern_properties: Annotated[dict[str, "JSONSchemaProps"], F(31)] = {}
    dependencies: Annotated[dict[str, "JSONSchemaProps | list[str]"], F(32, either="strings")] = {}
    additional_items: Annotated["JSONSchemaProps | bool | None", F(33, either="bool")] = None
    definitions: Annotated[dict[str, "JSONSchemaProps"], F(34)] = {}
    external_docs: Annotated[ExternalDocumentation | None, F(35)] = None
    example: Annotated[Json | Nothing, F(36, either="JSON")] = NOTHING
    nullable: Annotated[bool | None, F(37)] = None
    x_preserve_unknown_fields: Annotated[bool | None, F(38, explicit=True)] = msgspec.field(
        default=None, name="x-kubernetes-preserve-unknown-fields"
    )
    x_embedded_resource: Annotated[bool | None, F(39)] = msgspec.field(
        default=None, name="x-kubernetes-embedded-resource"
    )
    x_int_or_string: Annotated[bool | None, F(40)] = msgspec.field(default=None, name="x-kubernetes-int-or-string")
    x_list_map_keys: Annotated[list[str], F(41, atomic=True)] = msgspec.field(
        default=[], name="x-kubernetes-list-map-keys"
    )
    x_list_type: Annotated[str | None, F(42, explicit=True)] = msgspec.field(
        default=None, name="x-kubernetes-list-type"
    )
    x_map_type: Annotated[str | None, F(43, explicit=True)] = msgspec.field(default=None, name="x-kubernetes-map-type")
    x_validations: Annotated[list[ValidationRule], F(44, merge="rule")] = msgspec.field(
        default=[], name="x-kubernetes-validations"
    )


class CustomResourceValidation(Type):
    """The schema that objects of a version must keep to."""

    open_api_v3_schema: Annotated[JSONSchemaProps | None, F(1)] = None


class CustomResourceSubresourceStatus(Type):
    """Says that there is a status, which is written apart from the rest."""


class CustomResourceSubresourceScale(Type):
    """Where the numbers of replicas stand in an object, for the subresource scale."""

    spec_replicas_path: Annotated[str, F(1)] = required(str)
    status_replicas_path: Annotated[str, F(2)] = required(str)
    label_selector_path: Annotated[str | None, F(3, explicit=True)] = None


class CustomResourceSubresources(Type):
    """Which of the subresources status and scale a custom kind has."""

    status: Annotated[CustomResourceSubresourceStatus | None, F(1)] = None
    scale: Annotated[CustomResourceSubresourceScale | None, F(2)] = None


class CustomResourceColumnDefinition(Type):
    """A column for lists of objects, with the place of its value."""

    name: Annotated[str, F(1)] = required(str)
    type: Annotated[str, F(2)] = required(str)
    format: Annotated[str | None, F(3)] = None
    description: Annotated[str | None, F(4)] = None
    priority: Annotated[Int32 | None, F(5)] = None
    json_path: Annotated[str, F(6)] = required(str)


class SelectableField(Type):
    """A field by which objects can be selected."""

    json_path: Annotated[str, F(1)] = required(str)


class CustomResourceDefinitionVersion(Type):
    """One version of a custom kind: its schema, its columns, whether it is served and stored."""

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
    """A service in the cluster, with path and port."""

    namespace: Annotated[str, F(1)] = required(str)
    name: Annotated[str, F(2)] = required(str)
    path: Annotated[str | None, F(3, explicit=True)] = None
    port: Annotated[Int32 | None, F(4, explicit=True)] = None


class WebhookClientConfig(Type):
    """How to reach a webhook: by a URL or by a service, and the CA that its certificate comes from."""

    url: Annotated[str | None, F(3, explicit=True)] = None
    service: Annotated[ServiceReference | None, F(1)] = None
    ca_bundle: Annotated[bytes | None, F(2)] = None


class WebhookConversion(Type):
    """The webhook that converts objects between versions."""

    client_config: Annotated[WebhookClientConfig | None, F(2)] = None
    conversion_review_versions: Annotated[list[str], F(3, atomic=True)] = required(list)


class CustomResourceConversion(Type):
    """How objects of one version become objects of another."""

    strategy: Annotated[str, F(1)] = required(str)
    webhook: Annotated[WebhookConversion | None, F(2)] = None


class CustomResourceDefinitionSpec(Type):
    """Names, scope and versions of a custom kind."""

    group: Annotated[str, F(1)] = required(str)
    names: Annotated[CustomResourceDefinitionNames, F(3)] = required(CustomResourceDefinitionNames)
    scope: Annotated[str, F(4)] = required(str)
    versions: Annotated[list[CustomResourceDefinitionVersion], F(7, atomic=True)] = required(list)
    conversion: Annotated[CustomResourceConversion | None, F(9)] = None
    preserve_unknown_fields: Annotated[bool | None, F(10)] = None


class CustomResourceDefinitionCondition(Type):
    """One thing that is, or is not, the case with a custom kind."""

    type: Annotated[str, F(1)] = required(str)
    status: Annotated[str, F(2)] = required(str)
    last_transition_time: Annotated[Time | None, F(3)] = None
    reason: Annotated[str | None, F(4)] = None
    message: Annotated[str | None, F(5)] = None
    observed_generation: Annotated[Int64 | None, F(6)] = None


class CustomResourceDefinitionStatus(Type):
    """Which names a custom kind has got, and which versions are stored."""

    conditions: Annotated[list[CustomResourceDefinitionCondition], F(1, keys=("type",))] = required(list)
    accepted_names: Annotated[CustomResourceDefinitionNames, F(2)] = required(CustomResourceDefinitionNames)
    stored_versions: Annotated[list[str], F(3, atomic=True)] = required(list)
    observed_generation: Annotated[Int64 | None, F(4)] = None


class CustomResourceDefinition(Type):
    """A kind of objects that users add to the API."""

    kind: str = constant("CustomResourceDefinition")
    api_version: str = constant("apiextensions.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[CustomResourceDefinitionSpec, F(2)] = required(CustomResourceDefinitionSpec)
    status: Annotated[CustomResourceDefinitionStatus, F(3)] = required(CustomResourceDefinitionStatus)
