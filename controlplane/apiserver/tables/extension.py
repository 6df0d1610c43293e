"""The tables of what extends or steers the API itself: policies, webhooks, definitions, certificates, priorities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api import kinds, selectors
from api.kinds import Kind
from controlplane.apiserver.tables.ages import age, human
from controlplane.apiserver.tables.columns import BY_NAME_AND_CREATION, Cell, Layout, columns

if TYPE_CHECKING:
    from api.admissionregistration_v1 import (
        MutatingAdmissionPolicy,
        MutatingAdmissionPolicyBinding,
        MutatingWebhookConfiguration,
        ParamKind,
        ValidatingAdmissionPolicy,
        ValidatingAdmissionPolicyBinding,
        ValidatingWebhookConfiguration,
    )
    from api.apiregistration_v1 import APIService
    from api.certificates_v1 import CertificateSigningRequest
    from api.certificates_v1beta1 import ClusterTrustBundle
    from api.flowcontrol_v1 import FlowSchema, PriorityLevelConfiguration

_NONE, _UNSET = "<none>", "<unset>"


def _webhooks(obj: ValidatingWebhookConfiguration | MutatingWebhookConfiguration, now: float) -> list[Cell]:
    return [obj.metadata.name, len(obj.webhooks), age(obj.metadata.creation_timestamp, now)]


def _validating(obj: ValidatingAdmissionPolicy, now: float) -> list[Cell]:
    created = age(obj.metadata.creation_timestamp, now)
    return [obj.metadata.name, len(obj.spec.validations), _parameters(obj.spec.param_kind), created]


def _mutating(obj: MutatingAdmissionPolicy, now: float) -> list[Cell]:
    created = age(obj.metadata.creation_timestamp, now)
    return [obj.metadata.name, len(obj.spec.mutations), _parameters(obj.spec.param_kind), created]


def _parameters(kind: ParamKind | None) -> str:
    return _UNSET if kind is None else f"{kind.api_version or ''}/{kind.kind or ''}"


def _binding(obj: ValidatingAdmissionPolicyBinding | MutatingAdmissionPolicyBinding, now: float) -> list[Cell]:
    reference, shown = obj.spec.param_ref, _UNSET
    if reference is not None and reference.name:
        shown = f"{reference.namespace or '*'}/{reference.name}"
    elif reference is not None and reference.selector is not None:
        try:
            shown = str(selectors.from_struct(reference.selector))
        except selectors.SelectorError:
            shown = "<error>"
    return [obj.metadata.name, obj.spec.policy_name or "", shown, age(obj.metadata.creation_timestamp, now)]


def _api_service(obj: APIService, now: float) -> list[Cell]:
    service = obj.spec.service
    available = next((item for item in obj.status.conditions if item.type == "Available"), None)
    state = "Unknown"
    if available is not None:
        reason = f" ({available.reason})" if available.status != "True" and available.reason else ""
        state = f"{available.status}{reason}"
    return [
        obj.metadata.name,
        "Local" if service is None else f"{service.namespace}/{service.name}",
        state,
        age(obj.metadata.creation_timestamp, now),
    ]


def _certificate(obj: CertificateSigningRequest, now: float) -> list[Cell]:
    seconds = obj.spec.expiration_seconds
    return [
        obj.metadata.name,
        age(obj.metadata.creation_timestamp, now),
        obj.spec.signer_name or _NONE,
        obj.spec.username or "",
        _NONE if seconds is None else human(float(seconds)),
        _decision(obj),
    ]


def _bundle(obj: ClusterTrustBundle, now: float) -> list[Cell]:
    return [obj.metadata.name, obj.spec.signer_name or _NONE]


def _decision(obj: CertificateSigningRequest) -> str:
    types = {condition.type for condition in obj.status.conditions}
    words = ["Denied" if "Denied" in types else "Approved" if "Approved" in types else "Pending"]
    words += ["Failed"] if "Failed" in types else []
    words += ["Issued"] if obj.status.certificate else []
    return ",".join(words)


def _flow_schema(obj: FlowSchema, now: float) -> list[Cell]:
    method = obj.spec.distinguisher_method
    dangling = [item.status or "" for item in obj.status.conditions if item.type == "Dangling"]
    return [
        obj.metadata.name,
        obj.spec.priority_level_configuration.name,
        obj.spec.matching_precedence,
        _NONE if method is None else method.type,
        age(obj.metadata.creation_timestamp, now),
        dangling[0] if dangling else "?",
    ]


def _priority_level(obj: PriorityLevelConfiguration, now: float) -> list[Cell]:
    limited = obj.spec.limited
    response = limited.limit_response if limited is not None else None
    queuing = response.queuing if response is not None else None
    shares: Cell = limited.nominal_concurrency_shares if limited is not None else _NONE
    queues: list[Cell] = [_NONE] * 3
    if queuing is not None:
        queues = [queuing.queues, queuing.hand_size, queuing.queue_length_limit]
    return [obj.metadata.name, obj.spec.type, shares, *queues, age(obj.metadata.creation_timestamp, now)]


_FLOW_COLUMNS = ("Name", "PriorityLevel", "MatchingPrecedence", "DistinguisherMethod", "Age", "MissingPL")
_LEVEL_COLUMNS = ("Name", "Type", "NominalConcurrencyShares", "Queues", "HandSize", "QueueLengthLimit", "Age")
_WEBHOOKS = Layout(columns("Name", "Webhooks:integer", "Age"), _webhooks)
_BINDING = Layout(columns("Name", "PolicyName", "ParamRef", "Age"), _binding)

LAYOUTS: dict[Kind[Any], Layout] = {
    kinds.VALIDATING_WEBHOOK_CONFIGURATION: _WEBHOOKS,
    kinds.MUTATING_WEBHOOK_CONFIGURATION: _WEBHOOKS,
    kinds.VALIDATING_ADMISSION_POLICY: Layout(columns("Name", "Validations:integer", "ParamKind", "Age"), _validating),
    kinds.MUTATING_ADMISSION_POLICY: Layout(columns("Name", "Mutations:integer", "ParamKind", "Age"), _mutating),
    kinds.VALIDATING_ADMISSION_POLICY_BINDING: _BINDING,
    kinds.MUTATING_ADMISSION_POLICY_BINDING: _BINDING,
    kinds.CUSTOM_RESOURCE_DEFINITION: BY_NAME_AND_CREATION,
    kinds.API_SERVICE: Layout(columns("Name", "Service", "Available", "Age"), _api_service),
    kinds.CERTIFICATE_SIGNING_REQUEST: Layout(
        columns("Name", "Age", "SignerName", "Requestor", "RequestedDuration", "Condition"), _certificate
    ),
    kinds.CLUSTER_TRUST_BUNDLE: Layout(columns("Name", "SignerName"), _bundle),
    kinds.FLOW_SCHEMA: Layout(columns(*_FLOW_COLUMNS), _flow_schema, order=(2, 0)),
    kinds.PRIORITY_LEVEL_CONFIGURATION: Layout(columns(*_LEVEL_COLUMNS), _priority_level),
}
