"""FlowSchemas and PriorityLevelConfigurations: the mandatory ones, which are always put right, and the suggested ones.

A suggested object is put right as long as its autoupdate annotation says so; without one, as long as nobody has changed its spec.
Their status says whether a schema's priority level is there.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from api import kinds, times
from api.flowcontrol_v1 import (
    ExemptPriorityLevelConfiguration,
    FlowDistinguisherMethod,
    FlowSchema,
    FlowSchemaCondition,
    FlowSchemaSpec,
    GroupSubject,
    LimitedPriorityLevelConfiguration,
    LimitResponse,
    NonResourcePolicyRule,
    PolicyRulesWithSubjects,
    PriorityLevelConfiguration,
    PriorityLevelConfigurationReference,
    PriorityLevelConfigurationSpec,
    QueuingConfiguration,
    ResourcePolicyRule,
    ServiceAccountSubject,
    Subject,
    UserSubject,
)
from api.meta_v1 import ObjectMeta
from controlplane.apiserver.bootstrap.ensure import Wanted

AUTOUPDATE = "apf.kubernetes.io/autoupdate-spec"
_MANDATORY = ("exempt", "catch-all")
# name, nominal shares, percent to lend, queues, hand size; without queues, what is too much is refused.
_LEVELS = (
    ("system", 30, 33, 64, 6),
    ("node-high", 40, 25, 64, 6),
    ("leader-election", 10, 0, 16, 4),
    ("workload-high", 40, 50, 128, 6),
    ("workload-low", 100, 90, 128, 6),
    ("global-default", 20, 50, 128, 6),
    ("catch-all", 5, 0, 0, 0),
)
_QUEUE_LENGTH = 50
# name, level, precedence, by whom flows are told apart, subjects, what: "*" for everything, else rules.
_ALL = ("*",)
_SCHEMAS = (
    ("exempt", "exempt", 1, "", "g:system:masters", _ALL),
    (
        "probes",
        "exempt",
        2,
        "",
        "g:system:unauthenticated g:system:authenticated",
        ("get /healthz,/readyz,/livez",),
    ),
    (
        "system-leader-election",
        "leader-election",
        100,
        "ByUser",
        "u:system:kube-controller-manager u:system:kube-scheduler a:*",
        ("get,create,update coordination.k8s.io leases",),
    ),
    (
        "system-node-high",
        "node-high",
        400,
        "ByUser",
        "g:system:nodes",
        ("* core nodes,nodes/status cluster", "* coordination.k8s.io leases"),
    ),
    ("system-nodes", "system", 500, "ByUser", "g:system:nodes", _ALL),
    ("kube-controller-manager", "workload-high", 800, "ByNamespace", "u:system:kube-controller-manager", _ALL),
    ("kube-scheduler", "workload-high", 800, "ByNamespace", "u:system:kube-scheduler", _ALL),
    ("kube-system-service-accounts", "workload-high", 900, "ByNamespace", "a:*", _ALL),
    ("service-accounts", "workload-low", 9000, "ByUser", "g:system:serviceaccounts", _ALL),
    (
        "global-default",
        "global-default",
        9900,
        "ByUser",
        "g:system:unauthenticated g:system:authenticated",
        _ALL,
    ),
    (
        "catch-all",
        "catch-all",
        10000,
        "ByUser",
        "g:system:unauthenticated g:system:authenticated",
        _ALL,
    ),
)


def wanted() -> list[Wanted]:
    """All of them, levels first."""
    exempt = ExemptPriorityLevelConfiguration(nominal_concurrency_shares=0, lendable_percent=0)
    levels = [
        PriorityLevelConfiguration(
            metadata=_meta("exempt"), spec=PriorityLevelConfigurationSpec(type="Exempt", exempt=exempt)
        ),
        *(_level(*row) for row in _LEVELS),
    ]
    return [
        *(Wanted(kinds.PRIORITY_LEVEL_CONFIGURATION, one, reconcile) for one in levels),
        *(Wanted(kinds.FLOW_SCHEMA, _schema(*row), reconcile) for row in _SCHEMAS),
    ]


def reconcile(found: Any, wanted: Any) -> Any:
    """The spec as it was, unless it is somebody else's now; the annotation says which."""
    says = found.metadata.annotations.get(AUTOUPDATE)
    ours = found.metadata.name in _MANDATORY or (says == "true" if says in _WORDS else found.metadata.generation == 1)
    if found.spec == wanted.spec or not ours:
        if says == _WORDS[not ours]:
            return None
    else:
        found.spec = wanted.spec
    found.metadata.annotations = {**found.metadata.annotations, AUTOUPDATE: _WORDS[not ours]}
    return found


_WORDS = ("true", "false")


def dangling(schema: FlowSchema, levels: Collection[str], now: float) -> FlowSchema | None:
    """The schema with a status that says whether its level is there; None if it says so already."""
    level = schema.spec.priority_level_configuration.name
    there = level in levels
    about = f'This FlowSchema references the PriorityLevelConfiguration object named "{level}"'
    condition = FlowSchemaCondition(
        type="Dangling",
        status="False" if there else "True",
        reason="Found" if there else "NotFound",
        message=f"{about} and it exists" if there else f"{about} but there is no such object",
    )
    for present in schema.status.conditions:
        if present.type == "Dangling" and (present.status, present.message) == (condition.status, condition.message):
            return None
    condition.last_transition_time = times.format_time(now)
    others = [present for present in schema.status.conditions if present.type != "Dangling"]
    schema.status.conditions = [*others, condition]
    return schema


def _level(name: str, shares: int, lendable: int, queues: int, hand: int) -> PriorityLevelConfiguration:
    queuing = QueuingConfiguration(queues=queues, hand_size=hand, queue_length_limit=_QUEUE_LENGTH) if queues else None
    limited = LimitedPriorityLevelConfiguration(
        nominal_concurrency_shares=shares,
        lendable_percent=lendable,
        limit_response=LimitResponse(type="Queue" if queues else "Reject", queuing=queuing),
    )
    spec = PriorityLevelConfigurationSpec(type="Limited", limited=limited)
    return PriorityLevelConfiguration(metadata=_meta(name), spec=spec)


def _schema(name: str, level: str, precedence: int, by: str, subjects: str, rules: tuple[str, ...]) -> FlowSchema:
    policy = PolicyRulesWithSubjects(subjects=[_subject(word) for word in subjects.split()])
    for rule in rules:
        if rule == "*":
            policy.resource_rules = [_resource_rule("*", "*", "*", "cluster")]
            policy.non_resource_rules = [NonResourcePolicyRule(verbs=["*"], non_resource_urls=["*"])]
        elif "/" in rule.split()[1]:
            verbs, urls = rule.split()
            policy.non_resource_rules = [NonResourcePolicyRule(verbs=[verbs], non_resource_urls=urls.split(","))]
        else:
            policy.resource_rules = [*policy.resource_rules, _resource_rule(*rule.split())]
    spec = FlowSchemaSpec(
        priority_level_configuration=PriorityLevelConfigurationReference(name=level),
        matching_precedence=precedence,
        distinguisher_method=FlowDistinguisherMethod(type=by) if by else None,
        rules=[policy],
    )
    return FlowSchema(metadata=_meta(name), spec=spec)


def _resource_rule(verbs: str, group: str, resources: str, scope: str = "") -> ResourcePolicyRule:
    return ResourcePolicyRule(
        verbs=verbs.split(","),
        api_groups=["" if group == "core" else group],
        resources=resources.split(","),
        cluster_scope=True if scope else None,
        namespaces=["*"],
    )


def _subject(word: str) -> Subject:
    kind, _, name = word.partition(":")
    if kind == "g":
        return Subject(kind="Group", group=GroupSubject(name=name))
    if kind == "u":
        return Subject(kind="User", user=UserSubject(name=name))
    return Subject(kind="ServiceAccount", service_account=ServiceAccountSubject(namespace="kube-system", name=name))


def _meta(name: str) -> ObjectMeta:
    return ObjectMeta(name=name, annotations={AUTOUPDATE: "true"})
