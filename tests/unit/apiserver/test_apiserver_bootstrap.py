"""The objects that every cluster has, and how they are put right."""

from __future__ import annotations

from typing import Any

import pytest

from api import defaults, kinds, validation
from api.meta_v1 import ObjectMeta
from api.rbac_v1 import ClusterRole, ClusterRoleBinding, PolicyRule, RoleRef, Subject
from controlplane.apiserver.access.escalation import uncovered
from controlplane.apiserver.bootstrap import apiservices, flowcontrol, namespaces, priorities, rbac, trust
from controlplane.apiserver.bootstrap.ensure import Remade, Wanted
from controlplane.apiserver.bootstrap.policy import AUTOUPDATE, BOOTSTRAPPING, read
from controlplane.apiserver.bootstrap.presence import lease_name, place
from controlplane.apiserver.bootstrap.rbac import aggregated, reconcile_binding, reconcile_role
from controlplane.apiserver.identity.front_proxies import FrontSettings
from kit import pki

ALL = [
    *namespaces.wanted(),
    *priorities.wanted(),
    *rbac.wanted(),
    *flowcontrol.wanted(),
    *apiservices.wanted(kinds.SERVED),
]


def of(kind: Any) -> dict[str, Any]:
    return {one.obj.metadata.name: one.obj for one in ALL if one.kind is kind}


@pytest.mark.parametrize("wanted", ALL, ids=lambda one: f"{one.kind.plural}/{one.obj.metadata.name}")
def test_each_is_valid(wanted: Wanted) -> None:
    defaults.apply(wanted.kind, wanted.obj)
    assert validation.validate_create(wanted.kind, wanted.obj) == []


def test_there_are_as_many_as_upstream_has() -> None:
    # One more each than upstream by default: who may read bundles of certificates.
    counts = [(kinds.CLUSTER_ROLE, 70), (kinds.CLUSTER_ROLE_BINDING, 51), (kinds.ROLE, 7), (kinds.ROLE_BINDING, 7)]
    counts += [(kinds.FLOW_SCHEMA, 11), (kinds.PRIORITY_LEVEL_CONFIGURATION, 8), (kinds.PRIORITY_CLASS, 2)]
    found = [one for one in ALL if not (one.obj.metadata.name or "").startswith("wherry:")]
    assert [(kind.name, sum(one.kind is kind for one in found)) for kind, _ in counts] == [
        (k.name, n) for k, n in counts
    ]


def test_every_default_of_rbac_says_what_it_is() -> None:
    groups = (kinds.CLUSTER_ROLE, kinds.CLUSTER_ROLE_BINDING, kinds.ROLE, kinds.ROLE_BINDING)
    for wanted in (one for one in ALL if one.kind in groups):
        assert BOOTSTRAPPING.items() <= wanted.obj.metadata.labels.items()
        assert wanted.obj.metadata.annotations == {AUTOUPDATE: "true"}


def test_every_binding_binds_to_a_role_that_is_there() -> None:
    roles = of(kinds.CLUSTER_ROLE)
    assert {one.role_ref.name for one in of(kinds.CLUSTER_ROLE_BINDING).values()} <= roles.keys()


def test_admin_has_what_edit_has_and_edit_what_view_has() -> None:
    roles = of(kinds.CLUSTER_ROLE)
    for greater, lesser in (("admin", "edit"), ("edit", "view")):
        assert uncovered(roles[greater].rules, roles[lesser].rules) == []
        assert uncovered(roles[lesser].rules, roles[greater].rules) != []
    assert aggregated(list(roles.values())) == []


def test_the_text_of_a_role() -> None:
    (entry,) = read(
        "lord of=x to=y user=a:b group=c account=n/d\n    read core,apps pods,\n        secrets one\n    get urls /x"
    )
    assert (entry.name, entry.of, entry.to, entry.binding) == ("lord", "x", "y", "lord")
    assert [(s.kind, s.name, s.namespace) for s in entry.subjects] == [
        ("User", "a:b", None),
        ("Group", "c", None),
        ("ServiceAccount", "d", "n"),
    ]
    rule, path = entry.rules
    assert (rule.verbs, rule.api_groups) == (["get", "list", "watch"], ["", "apps"])
    assert (rule.resources, rule.resource_names, path.non_resource_urls) == (["pods", "secrets"], ["one"], ["/x"])


def rule(verbs: str, resources: str, groups: str = "", names: str = "") -> PolicyRule:
    return PolicyRule(
        verbs=verbs.split(), api_groups=[groups], resources=resources.split(), resource_names=names.split()
    )


@pytest.mark.parametrize(
    ("wanted", "present", "missing"),
    [
        ([rule("get list", "pods")], [rule("get", "pods"), rule("list", "pods secrets")], []),
        ([rule("get list", "pods")], [rule("get", "pods")], [rule("list", "pods")]),
        ([rule("get", "pods")], [rule("*", "*")], []),
        ([rule("get", "pods/log")], [rule("get", "*/log")], []),
        ([rule("get", "pods/log")], [rule("get", "pods")], [rule("get", "pods/log")]),
        ([rule("get", "pods")], [rule("get", "pods", names="a")], [rule("get", "pods")]),
        ([rule("get", "pods", names="a b")], [rule("get", "pods", names="a")], [rule("get", "pods", names="b")]),
        ([rule("get", "pods", names="a")], [rule("get", "pods")], []),
        (
            [PolicyRule(verbs=["get"], non_resource_urls=["/a/b", "/c"])],
            [PolicyRule(verbs=["get"], non_resource_urls=["/a/*"])],
            [PolicyRule(verbs=["get"], non_resource_urls=["/c"])],
        ),
    ],
)
def test_what_rules_do_not_cover(
    wanted: list[PolicyRule], present: list[PolicyRule], missing: list[PolicyRule]
) -> None:
    assert uncovered(present, wanted) == missing


def meta(**annotations: str) -> ObjectMeta:
    return ObjectMeta(name="x", labels=dict(BOOTSTRAPPING), annotations={AUTOUPDATE: "true"} | annotations)


def test_a_role_gets_back_what_it_lost_and_keeps_what_it_gained() -> None:
    wanted = ClusterRole(metadata=meta(), rules=[rule("get", "pods")])
    found = ClusterRole(metadata=meta(by="me"), rules=[rule("get", "secrets")])
    changed = reconcile_role(found, wanted)
    assert changed.rules == [rule("get", "secrets"), rule("get", "pods")]
    assert changed.metadata.annotations["by"] == "me"
    assert reconcile_role(changed, wanted) is None


def test_what_is_protected_is_left_alone() -> None:
    protected = meta()
    protected.annotations = {AUTOUPDATE: "false"}
    assert (
        reconcile_role(ClusterRole(metadata=protected), ClusterRole(metadata=meta(), rules=[rule("get", "x")])) is None
    )
    subject = Subject(kind="Group", name="g")
    wanted = ClusterRoleBinding(metadata=meta(), subjects=[subject])
    assert reconcile_binding(ClusterRoleBinding(metadata=protected), wanted) is None


def test_a_binding_gets_its_subjects_back_and_is_made_anew_for_another_role() -> None:
    one, other = Subject(kind="Group", name="g"), Subject(kind="User", name="u")
    ref = RoleRef(api_group=rbac.__name__, kind="ClusterRole", name="x")
    wanted = ClusterRoleBinding(metadata=meta(), subjects=[one], role_ref=ref)
    found = ClusterRoleBinding(metadata=meta(), subjects=[other], role_ref=ref)
    assert reconcile_binding(found, wanted).subjects == [other, one]
    elsewhere = ClusterRoleBinding(metadata=meta(), subjects=[one], role_ref=RoleRef(kind="ClusterRole", name="y"))
    assert reconcile_binding(elsewhere, wanted) == Remade(wanted)


def level(name: str, shares: int, generation: int, **annotations: str) -> Any:
    found = of(kinds.PRIORITY_LEVEL_CONFIGURATION)[name]
    limited = type(found.spec.limited)(nominal_concurrency_shares=shares)
    spec = type(found.spec)(type="Limited", limited=limited)
    return type(found)(metadata=ObjectMeta(name=name, generation=generation, annotations=annotations), spec=spec)


AUTO = flowcontrol.AUTOUPDATE


@pytest.mark.parametrize(
    ("found", "spec_is_reset", "says"),
    [
        (level("system", 1, 3, **{AUTO: "true"}), True, "true"),
        (level("system", 1, 3, **{AUTO: "false"}), False, None),
        (level("system", 1, 1), True, "true"),
        (level("system", 1, 2), False, "false"),
        (level("catch-all", 1, 2, **{AUTO: "false"}), True, "true"),
    ],
)
def test_suggested_levels_may_be_taken_over_mandatory_ones_not(
    found: Any, spec_is_reset: bool, says: str | None
) -> None:
    wanted = of(kinds.PRIORITY_LEVEL_CONFIGURATION)[found.metadata.name]
    changed = flowcontrol.reconcile(found, wanted)
    if says is None:
        assert changed is None
        return
    assert (changed.spec == wanted.spec) == spec_is_reset
    assert changed.metadata.annotations[AUTO] == says
    assert flowcontrol.reconcile(changed, wanted) is None


def test_a_schema_says_whether_its_level_is_there() -> None:
    schema = of(kinds.FLOW_SCHEMA)["probes"]
    told = flowcontrol.dangling(schema, {"exempt"}, 0.0)
    assert told is not None
    assert [(c.type, c.status, c.reason) for c in told.status.conditions] == [("Dangling", "False", "Found")]
    assert flowcontrol.dangling(told, {"exempt"}, 0.0) is None
    told = flowcontrol.dangling(told, {"system"}, 0.0)
    assert told is not None
    assert [(c.status, c.reason) for c in told.status.conditions] == [("True", "NotFound")]


def test_servers_of_one_host_or_of_hosts_of_one_name_have_leases_of_their_own() -> None:
    places = ("192.0.2.1:6443", "192.0.2.1:7443", "192.0.2.2:6443")
    names = {lease_name("debian", where) for where in places}
    assert len(names) == 3 and all(name.startswith("apiserver-") and len(name) == 36 for name in names)
    assert lease_name("debian", places[0]) in names, "the same after a restart"
    assert lease_name("other", places[0]) not in names
    assert (place("192.0.2.1", 1), place("2001:db8::1", 1)) == ("192.0.2.1:1", "[2001:db8::1]:1")


def test_what_extension_servers_are_told() -> None:
    one, two, three = (pki.make_ca(name).cert.decode() for name in ("one", "two", "three"))
    assert trust.published({}, trust.Trusted(one), 0.0) == {"client-ca-file": one}
    assert trust.published({}, trust.NOBODY, 0.0) == {}
    front = FrontSettings(two, ("front-proxy",))
    told = trust.published({"other": "gone"}, trust.Trusted(one, front), 0.0)
    assert told == {
        "client-ca-file": one,
        "requestheader-client-ca-file": two,
        "requestheader-allowed-names": '["front-proxy"]',
        "requestheader-username-headers": '["X-Remote-User"]',
        "requestheader-uid-headers": '["X-Remote-Uid"]',
        "requestheader-group-headers": '["X-Remote-Group"]',
        "requestheader-extra-headers-prefix": '["X-Remote-Extra-"]',
    }
    assert trust.published(told, trust.Trusted(one, front), 0.0) == told
    assert trust.published(told, trust.Trusted(one), 0.0) == told, "another server has front proxies"
    more = trust.published(told, trust.Trusted(one, FrontSettings(three, ("b",), ("X-User",), ())), 0.0)
    assert more["requestheader-allowed-names"] == '["front-proxy","b"]'
    assert more["requestheader-username-headers"] == '["X-Remote-User","X-User"]'
    assert more["requestheader-client-ca-file"] == two + three
    bare = FrontSettings(two, (), (), (), (), ())
    assert "requestheader-uid-headers" not in trust.published({}, trust.Trusted(one, bare), 0.0)
    spoilt = told | {"requestheader-allowed-names": "front-proxy", "client-ca-file": "x"}
    assert trust.published(spoilt, trust.Trusted(one, front), 0.0) == told


def test_certificates_of_all_servers_are_trusted_until_they_have_run_out() -> None:
    one, two = (pki.make_ca(name).cert.decode() for name in ("one", "two"))
    both = trust.combined(one, two, 0.0)
    assert both.count("BEGIN CERTIFICATE") == 2
    assert trust.combined(both, one, 0.0) == both
    assert trust.combined(both, two, 10.0**11) == ""
    assert trust.combined("-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----", one, 0.0) == one
