"""admissionregistration.k8s.io/v1: webhooks and policies that admit objects."""

from typing import Annotated

from api import choices
from api.fields import F, Int32, Int64, Type, constant, required
from api.meta_v1 import Condition, LabelSelector, ObjectMeta


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


class RuleWithOperations(Type):
    """Resources, and what is done with them."""

    operations: Annotated[list[str], F(1, atomic=True, among=choices.OPERATIONS)] = []
    api_groups: Annotated[list[str], F(2, 1, atomic=True)] = []
    api_versions: Annotated[list[str], F(2, 2, atomic=True)] = []
    resources: Annotated[list[str], F(2, 3, atomic=True)] = []
    scope: Annotated[str | None, F(2, 4, explicit=True, among=choices.SCOPES)] = None


class MatchCondition(Type):
    """An expression that must be true for a request to be looked at."""

    name: Annotated[str, F(1)] = required(str)
    expression: Annotated[str, F(2)] = required(str)


class ValidatingWebhook(Type):
    """One webhook that may refuse requests, and the requests that it is asked about."""

    name: Annotated[str, F(1)] = required(str)
    client_config: Annotated[WebhookClientConfig, F(2)] = required(WebhookClientConfig)
    rules: Annotated[list[RuleWithOperations], F(3, atomic=True)] = []
    failure_policy: Annotated[str | None, F(4, explicit=True, among=choices.FAILURE_POLICIES)] = None
    match_policy: Annotated[str | None, F(9, explicit=True, among=choices.MATCH_POLICIES)] = None
    namespace_selector: Annotated[LabelSelector | None, F(5)] = None
    object_selector: Annotated[LabelSelector | None, F(10)] = None
    side_effects: Annotated[str | None, F(6, explicit=True, among=choices.SIDE_EFFECTS)] = None
    timeout_seconds: Annotated[Int32 | None, F(7, explicit=True)] = None
    admission_review_versions: Annotated[list[str], F(8, atomic=True)] = required(list)
    match_conditions: Annotated[list[MatchCondition], F(11, merge="name")] = []


class ValidatingWebhookConfiguration(Type):
    """Webhooks that may refuse what is written, and change nothing."""

    kind: str = constant("ValidatingWebhookConfiguration")
    api_version: str = constant("admissionregistration.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    webhooks: Annotated[list[ValidatingWebhook], F(2, merge="name")] = []


class MutatingWebhook(Type):
    """One webhook that may change objects, and the requests that it is asked about."""

    name: Annotated[str, F(1)] = required(str)
    client_config: Annotated[WebhookClientConfig, F(2)] = required(WebhookClientConfig)
    rules: Annotated[list[RuleWithOperations], F(3, atomic=True)] = []
    failure_policy: Annotated[str | None, F(4, explicit=True, among=choices.FAILURE_POLICIES)] = None
    match_policy: Annotated[str | None, F(9, explicit=True, among=choices.MATCH_POLICIES)] = None
    namespace_selector: Annotated[LabelSelector | None, F(5)] = None
    object_selector: Annotated[LabelSelector | None, F(11)] = None
    side_effects: Annotated[str | None, F(6, explicit=True, among=choices.SIDE_EFFECTS)] = None
    timeout_seconds: Annotated[Int32 | None, F(7, explicit=True)] = None
    admission_review_versions: Annotated[list[str], F(8, atomic=True)] = required(list)
    reinvocation_policy: Annotated[str | None, F(10, explicit=True, among=choices.REINVOCATIONS)] = None
    match_conditions: Annotated[list[MatchCondition], F(12, merge="name")] = []


class MutatingWebhookConfiguration(Type):
    """Webhooks that may change objects before they are written."""

    kind: str = constant("MutatingWebhookConfiguration")
    api_version: str = constant("admissionregistration.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    webhooks: Annotated[list[MutatingWebhook], F(2, merge="name")] = []


class ParamKind(Type):
    """The kind of the objects that hold a policy's parameters."""

    api_version: Annotated[str | None, F(1)] = None
    kind: Annotated[str | None, F(2)] = None


class NamedRuleWithOperations(Type):
    """Resources and what is done with them, perhaps for some names only."""

    resource_names: Annotated[list[str], F(1, atomic=True)] = []
    operations: Annotated[list[str], F(2, 1, atomic=True, among=choices.OPERATIONS)] = []
    api_groups: Annotated[list[str], F(2, 2, 1, atomic=True)] = []
    api_versions: Annotated[list[str], F(2, 2, 2, atomic=True)] = []
    resources: Annotated[list[str], F(2, 2, 3, atomic=True)] = []
    scope: Annotated[str | None, F(2, 2, 4, explicit=True, among=choices.SCOPES)] = None


class MatchResources(Type):
    """Which requests something is for: by resource, and by labels of the object and its namespace."""

    namespace_selector: Annotated[LabelSelector | None, F(1)] = None
    object_selector: Annotated[LabelSelector | None, F(2)] = None
    resource_rules: Annotated[list[NamedRuleWithOperations], F(3, atomic=True)] = []
    exclude_resource_rules: Annotated[list[NamedRuleWithOperations], F(4, atomic=True)] = []
    match_policy: Annotated[str | None, F(7, explicit=True, among=choices.MATCH_POLICIES)] = None


class Validation(Type):
    """One expression that must be true, and what to say if it is not."""

    expression: Annotated[str, F(1)] = required(str)
    message: Annotated[str | None, F(2)] = None
    reason: Annotated[str | None, F(3, explicit=True)] = None
    message_expression: Annotated[str | None, F(4)] = None


class AuditAnnotation(Type):
    """A note for the audit log, worked out by an expression."""

    key: Annotated[str, F(1)] = required(str)
    value_expression: Annotated[str, F(2)] = required(str)


class Variable(Type):
    """A value that is worked out once and used by other expressions as `variables.NAME`."""

    name: Annotated[str, F(1)] = required(str)
    expression: Annotated[str, F(2)] = required(str)


class ValidatingAdmissionPolicySpec(Type):
    """Which requests are checked, and how."""

    param_kind: Annotated[ParamKind | None, F(1)] = None
    match_constraints: Annotated[MatchResources | None, F(2)] = None
    validations: Annotated[list[Validation], F(3, atomic=True)] = []
    failure_policy: Annotated[str | None, F(4, explicit=True, among=choices.FAILURE_POLICIES)] = None
    audit_annotations: Annotated[list[AuditAnnotation], F(5, atomic=True)] = []
    match_conditions: Annotated[list[MatchCondition], F(6, merge="name")] = []
    variables: Annotated[list[Variable], F(7, merge="name")] = []


class ExpressionWarning(Type):
    """One thing that is wrong with an expression, and where it stands."""

    field_ref: Annotated[str, F(2)] = required(str)
    warning: Annotated[str, F(3)] = required(str)


class TypeChecking(Type):
    """What does not fit together in a policy's expressions."""

    expression_warnings: Annotated[list[ExpressionWarning], F(1, atomic=True)] = []


class ValidatingAdmissionPolicyStatus(Type):
    """What was found when the policy's expressions were looked through."""

    observed_generation: Annotated[Int64 | None, F(1)] = None
    type_checking: Annotated[TypeChecking | None, F(2)] = None
    conditions: Annotated[list[Condition], F(3, keys=("type",))] = []


class ValidatingAdmissionPolicy(Type):
    """Checks that the API server itself makes of objects which are being written, by expressions in CEL."""

    kind: str = constant("ValidatingAdmissionPolicy")
    api_version: str = constant("admissionregistration.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[ValidatingAdmissionPolicySpec, F(2)] = required(ValidatingAdmissionPolicySpec)
    status: Annotated[ValidatingAdmissionPolicyStatus, F(3)] = required(ValidatingAdmissionPolicyStatus)


class ParamRef(Type):
    """Which objects hold the parameters: one by its name, or all that labels select."""

    name: Annotated[str | None, F(1)] = None
    namespace: Annotated[str | None, F(2)] = None
    selector: Annotated[LabelSelector | None, F(3)] = None
    parameter_not_found_action: Annotated[str | None, F(4, explicit=True)] = None


class ValidatingAdmissionPolicyBindingSpec(Type):
    """Which policy, which parameters, which requests, and what follows when a check fails."""

    policy_name: Annotated[str | None, F(1)] = None
    param_ref: Annotated[ParamRef | None, F(2)] = None
    match_resources: Annotated[MatchResources | None, F(3)] = None
    validation_actions: Annotated[list[str], F(4, unique=True, among=choices.VALIDATION_ACTIONS)] = []


class ValidatingAdmissionPolicyBinding(Type):
    """Puts a validating policy to work, with parameters and for some requests."""

    kind: str = constant("ValidatingAdmissionPolicyBinding")
    api_version: str = constant("admissionregistration.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[ValidatingAdmissionPolicyBindingSpec, F(2)] = required(ValidatingAdmissionPolicyBindingSpec)


class ApplyConfiguration(Type):
    """A change as server-side apply makes it, from an expression that gives an object."""

    expression: Annotated[str | None, F(1)] = None


class JSONPatch(Type):
    """A change as a JSON patch, from an expression that gives its operations."""

    expression: Annotated[str | None, F(1)] = None


class Mutation(Type):
    """One change: a configuration that is applied, or a JSON patch."""

    patch_type: Annotated[str, F(2, among=choices.PATCH_TYPES)] = required(str)
    apply_configuration: Annotated[ApplyConfiguration | None, F(3)] = None
    json_patch: Annotated[JSONPatch | None, F(4)] = None


class MutatingAdmissionPolicySpec(Type):
    """Which requests are changed, and how."""

    param_kind: Annotated[ParamKind | None, F(1)] = None
    match_constraints: Annotated[MatchResources | None, F(2)] = None
    variables: Annotated[list[Variable], F(3, atomic=True)] = []
    mutations: Annotated[list[Mutation], F(4, atomic=True)] = []
    failure_policy: Annotated[str | None, F(5, explicit=True, among=choices.FAILURE_POLICIES)] = None
    match_conditions: Annotated[list[MatchCondition], F(6, merge="name")] = []
    reinvocation_policy: Annotated[str | None, F(7, among=choices.REINVOCATIONS)] = None


class MutatingAdmissionPolicy(Type):
    """Changes that the API server itself makes to objects which are being written, by expressions in CEL."""

    kind: str = constant("MutatingAdmissionPolicy")
    api_version: str = constant("admissionregistration.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[MutatingAdmissionPolicySpec, F(2)] = required(MutatingAdmissionPolicySpec)


class MutatingAdmissionPolicyBindingSpec(Type):
    """Which policy, which parameters, which requests."""

    policy_name: Annotated[str | None, F(1)] = None
    param_ref: Annotated[ParamRef | None, F(2)] = None
    match_resources: Annotated[MatchResources | None, F(3)] = None


class MutatingAdmissionPolicyBinding(Type):
    """Puts a mutating policy to work, with parameters and for some requests."""

    kind: str = constant("MutatingAdmissionPolicyBinding")
    api_version: str = constant("admissionregistration.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[MutatingAdmissionPolicyBindingSpec, F(2)] = required(MutatingAdmissionPolicyBindingSpec)
