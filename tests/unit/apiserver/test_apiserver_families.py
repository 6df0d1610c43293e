"""Families and policy of a Service follow from what its author gave and what the cluster has."""

from __future__ import annotations

from typing import Any

import pytest

from api.core_v1 import ServiceSpec
from controlplane.apiserver.admission.families import complete

MANY = "Invalid value: \"SingleStack\": must be 'RequireDualStack' or 'PreferDualStack' when multiple {} are specified"
V4, V6, BOTH = ["IPv4"], ["IPv6"], ["IPv4", "IPv6"]


def spec(**fields: Any) -> ServiceSpec:
    made = ServiceSpec(**({"type": "ClusterIP", "selector": {"app": "web"}} | fields))
    made.cluster_ip = made.cluster_ip or (made.cluster_ips[0] if made.cluster_ips else None)
    return made


@pytest.mark.parametrize(
    ("given", "cluster", "policy", "families"),
    [
        ({}, V4, "SingleStack", V4),
        ({}, BOTH, "SingleStack", V4),
        ({}, ["IPv6", "IPv4"], "SingleStack", V6),
        ({"ip_families": V6}, BOTH, "SingleStack", V6),
        ({"cluster_ips": ["fd00::5"]}, BOTH, "SingleStack", V6),
        ({"ip_family_policy": "PreferDualStack"}, V4, "PreferDualStack", V4),
        ({"ip_family_policy": "PreferDualStack"}, BOTH, "PreferDualStack", BOTH),
        ({"ip_family_policy": "RequireDualStack", "ip_families": V6}, BOTH, "RequireDualStack", ["IPv6", "IPv4"]),
        (
            {"ip_family_policy": "PreferDualStack", "cluster_ips": ["fd00::5", "10.0.0.5"]},
            BOTH,
            "PreferDualStack",
            ["IPv6", "IPv4"],
        ),
        ({"cluster_ips": ["None"]}, BOTH, "SingleStack", V4),
        ({"cluster_ips": ["None"], "selector": {}}, V4, "RequireDualStack", BOTH),
        ({"cluster_ips": ["None"], "selector": {}, "ip_family_policy": "SingleStack"}, V4, "SingleStack", V4),
        ({"type": "ExternalName"}, V4, None, []),
    ],
)
def test_a_new_service(given: dict[str, Any], cluster: list[str], policy: str | None, families: list[str]) -> None:
    made = spec(**given)
    assert complete(made, None, cluster) == []
    assert (made.ip_family_policy, made.ip_families) == (policy, families)


@pytest.mark.parametrize(
    ("given", "cluster", "field", "message"),
    [
        (
            {"ip_family_policy": "RequireDualStack"},
            V4,
            "spec.ipFamilyPolicy",
            'Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services',
        ),
        ({"ip_families": V6}, V4, "spec.ipFamilies[0]", 'Invalid value: "IPv6": not configured on this cluster'),
        (
            {"cluster_ips": ["fd00::5"]},
            V4,
            "spec.clusterIPs[0]",
            'Invalid value: ["fd00::5"]: IPv6 is not configured on this cluster',
        ),
        (
            {"ip_families": BOTH},
            BOTH,
            "spec.ipFamilyPolicy",
            MANY.format("IP families"),
        ),
        (
            {"cluster_ips": ["10.0.0.5", "fd00::5"]},
            BOTH,
            "spec.ipFamilyPolicy",
            MANY.format("cluster IPs"),
        ),
    ],
)
def test_what_cannot_be(given: dict[str, Any], cluster: list[str], field: str, message: str) -> None:
    causes = complete(spec(**given), None, cluster)
    assert (causes[0].field, causes[0].message) == (field, message)


@pytest.mark.parametrize(
    "given",
    [
        {"ip_family_policy": "Sometimes"},
        {"ip_families": ["IPv5"]},
        {"ip_families": ["IPv4", "IPv4"]},
        {"cluster_ips": ["nonsense"]},
        {"cluster_ips": ["10.0.0.5", "10.0.0.6"]},
        {"cluster_ips": ["None", "10.0.0.5"]},
        {"cluster_ips": ["10.0.0.5"], "cluster_ip": "10.0.0.6"},
        {"cluster_ips": ["10.0.0.5"], "ip_families": V6},
    ],
)
def test_what_breaks_rules_is_all_that_is_told(given: dict[str, Any]) -> None:
    made = spec(**given)
    before = list(made.ip_families)
    assert len(complete(made, None, BOTH)) == 1
    assert made.ip_families == before


def old(policy: str, *ips: str) -> ServiceSpec:
    return spec(
        ip_family_policy=policy,
        cluster_ips=list(ips),
        ip_families=["IPv6" if ":" in ip else "IPv4" for ip in ips],
    )


@pytest.mark.parametrize(
    ("before", "change", "ips", "families"),
    [
        (
            old("SingleStack", "10.0.0.5"),
            {"ip_family_policy": "PreferDualStack"},
            ["10.0.0.5"],
            BOTH,
        ),
        (old("RequireDualStack", "10.0.0.5", "fd00::5"), {"ip_family_policy": "SingleStack"}, ["10.0.0.5"], V4),
        (old("PreferDualStack", "10.0.0.5"), {}, ["10.0.0.5"], V4),  # the cluster has two families since
        (old("PreferDualStack", "10.0.0.5", "fd00::5"), {}, ["10.0.0.5", "fd00::5"], BOTH),
        (old("SingleStack", "10.0.0.5"), {"ip_family_policy": None}, ["10.0.0.5"], V4),
    ],
)
def test_a_changed_service(before: ServiceSpec, change: dict[str, Any], ips: list[str], families: list[str]) -> None:
    facts = {
        "ip_family_policy": before.ip_family_policy,
        "cluster_ips": list(before.cluster_ips),
        "ip_families": list(before.ip_families),
    }
    made = spec(**(facts | change))
    assert complete(made, before, BOTH) == []
    assert (made.cluster_ips, made.ip_families) == (ips, families)


def test_the_second_address_goes_with_the_policy_only() -> None:
    before = old("RequireDualStack", "10.0.0.5", "fd00::5")
    made = spec(ip_family_policy="RequireDualStack", cluster_ips=["10.0.0.5"], ip_families=V4)
    messages = [cause.message for cause in complete(made, before, BOTH)]
    assert messages == [
        "Invalid value: \"RequireDualStack\": must be 'SingleStack' to release the secondary cluster IP",
        "Invalid value: \"RequireDualStack\": must be 'SingleStack' to release the secondary IP family",
    ]
