"""EndpointSlices and Endpoints of a Service, with as few writes as possible."""

from __future__ import annotations

from typing import Any

import msgspec

from api.selectors import from_map
from controlplane.controllers.endpoints.plan import is_current, plan_endpoints
from controlplane.controllers.endpointslice.plan import MOST, Create, Plan, labels_for, plan_slices
from controlplane.controllers.endpointslice.trigger import trigger_time
from controlplane.controllers.seen import SeenPod, SeenService, SeenSlice, service
from controlplane.controllers.seen.service import ServicePort, SlicePort

HTTP = ServicePort("http", "TCP", 80, "web")


def svc(**facts: Any) -> SeenService:
    given: dict[str, Any] = {"selector": from_map({"app": "web"}), "has_selector": True, "ports": (HTTP,)}
    return SeenService(namespace="ns", name="web", labels={"team": "a"}, **(given | facts))


def pod(n: int, **facts: Any) -> SeenPod:
    given = {
        "namespace": "ns",
        "uid": f"u{n}",
        "labels": {"app": "web"},
        "ips": (f"10.0.{n // 250}.{n % 250 + 1}",),
        "ready": True,
        "node": "n1",
        "phase": "Running",
        "created": float(n),
        "ports": {("web", "TCP"): 8080},
    }
    return SeenPod(name=f"p{n}", **(given | facts))


def written(plan: Plan, there: list[SeenSlice], owner: SeenService | None = None) -> list[SeenSlice]:
    """The slices after the plan was carried out."""
    left = {s.name: s for s in there if s not in plan.delete}
    labels = labels_for(owner or svc())
    for update in plan.update:
        old = update.slice
        left[old.name] = SeenSlice(
            name=old.name, labels=labels, family=old.family, endpoints=update.endpoints, ports=update.ports
        )
    for i, made in enumerate(plan.create):
        name = f"made{i}-{made.family}-{len(left)}"
        left[name] = SeenSlice(name=name, labels=labels, family=made.family, endpoints=made.endpoints, ports=made.ports)
    return list(left.values())


def made(pods: list[SeenPod], owner: SeenService | None = None) -> list[SeenSlice]:
    owner = owner or svc()
    return written(plan_slices(owner, pods, [], {}), [], owner)


def test_slices_hold_at_most_a_hundred() -> None:
    pods = [pod(n) for n in range(250)]
    slices = made(pods)
    assert sorted(len(s.endpoints) for s in slices) == [50, MOST, MOST]
    assert {s.ports for s in slices} == {(SlicePort("http", "TCP", 8080),)}
    assert plan_slices(svc(), pods, slices, {}) == Plan()


def test_a_service_without_pods_has_an_empty_slice() -> None:
    plan = plan_slices(svc(), [], [], {})
    assert plan.create == (Create("IPv4", (), ()),)
    there = written(plan, [])
    assert plan_slices(svc(), [], there, {}) == Plan()
    full = plan_slices(svc(), [pod(1)], there, {})
    assert (len(full.create), len(full.update), len(full.delete)) == (0, 1, 0)
    emptied = plan_slices(svc(), [], made([pod(1)]), {})
    assert (len(emptied.create), len(emptied.update), len(emptied.delete)) == (0, 1, 0)


def test_what_an_endpoint_says() -> None:
    pods = [
        pod(1),
        pod(2, ready=False),
        pod(3, deleting=True),
        pod(4, phase="Failed"),
        pod(5, ips=()),
        pod(6, labels={}),
        pod(7, hostname="db-0", subdomain="web", node="n2"),
    ]
    (one,) = plan_slices(svc(), pods, [], {"n2": "zone-b"}).create
    seen = {e.pod: (e.ready, e.serving, e.terminating) for e in one.endpoints}
    assert seen == {
        "p1": (True, True, False),
        "p2": (False, False, False),
        "p3": (False, True, True),
        "p7": (True, True, False),
    }
    last = one.endpoints[-1]
    assert (last.zone, last.hostname, last.node, last.pod_uid) == ("zone-b", "db-0", "n2", "u7")
    (public,) = plan_slices(svc(publish_not_ready=True), pods, [], {}).create
    assert all(e.ready for e in public.endpoints)


def test_a_change_of_one_pod_is_one_write() -> None:
    pods = [pod(n) for n in range(250)]
    slices = made(pods)
    pods[7] = pod(7, ready=False)
    plan = plan_slices(svc(), pods, slices, {})
    assert (len(plan.create), len(plan.update), len(plan.delete)) == (0, 1, 0)


def test_a_new_pod_goes_where_something_changes_anyway() -> None:
    pods = [pod(n) for n in range(150)]
    slices = made(pods)
    full = next(s for s in slices if len(s.endpoints) == MOST)
    gone = full.endpoints[0].pod
    rest = [p for p in pods if p.name != gone] + [pod(900)]
    plan = plan_slices(svc(), rest, slices, {})
    assert [u.slice.name for u in plan.update] == [full.name]
    assert not plan.create


def test_a_new_pod_fills_the_fullest_slice_with_room() -> None:
    pods = [pod(n) for n in range(150)]
    slices = made(pods)
    plan = plan_slices(svc(), [*pods, pod(900)], slices, {})
    assert [len(u.endpoints) for u in plan.update] == [51]


def test_named_ports_may_differ_from_pod_to_pod() -> None:
    pods = [pod(1), pod(2, ports={("web", "TCP"): 9090}), pod(3, ports={})]
    slices = made(pods)
    assert sorted((s.ports[0].port if s.ports else 0, len(s.endpoints)) for s in slices) == [
        (0, 1),
        (8080, 1),
        (9090, 1),
    ]


def test_families() -> None:
    both = svc(families=("IPv4", "IPv6"))
    pods = [pod(1, ips=("10.0.0.1", "fd00::1")), pod(2)]
    slices = made(pods, both)
    assert sorted((s.family, len(s.endpoints)) for s in slices) == [("IPv4", 2), ("IPv6", 1)]
    plan = plan_slices(svc(), pods, slices, {})
    assert [s.family for s in plan.delete] == ["IPv6"]


def test_pods_on_the_network_of_their_host_share_an_address() -> None:
    pods = [pod(1, ips=("192.168.0.9",)), pod(2, ips=("192.168.0.9",))]
    (one,) = made(pods)
    assert [e.pod for e in one.endpoints] == ["p1", "p2"]


def test_labels() -> None:
    assert labels_for(svc(headless=True)) == {
        "team": "a",
        "service.kubernetes.io/headless": "",
        "kubernetes.io/service-name": "web",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }
    plan = plan_slices(svc(headless=True), [pod(1)], made([pod(1)]), {})
    assert len(plan.update) == 1


def test_endpoints_object() -> None:
    pods = [pod(2, ready=False), pod(1), pod(3, deleting=True), pod(4, ports={("web", "TCP"): 9090})]
    desired = plan_endpoints(svc(), pods)
    subsets = msgspec.json.decode(desired.subsets)
    assert [s["ports"] for s in subsets] == [
        [{"name": "http", "port": 8080, "protocol": "TCP"}],
        [{"name": "http", "port": 9090, "protocol": "TCP"}],
    ]
    assert [a["targetRef"]["name"] for a in subsets[0]["addresses"]] == ["p1"]
    assert [a["targetRef"]["name"] for a in subsets[0]["notReadyAddresses"]] == ["p2"]
    assert desired.labels == {"team": "a", "endpoints.kubernetes.io/managed-by": "endpoint-controller"}
    body = {"metadata": {"name": "web", "labels": desired.labels}, "subsets": subsets}
    there = service.endpoints(msgspec.json.encode(body))
    assert is_current(there, desired)
    assert not is_current(there, plan_endpoints(svc(), pods[:2]))


def test_endpoints_are_cut_at_a_thousand_ready_ones_first() -> None:
    pods = [pod(n, ready=n >= 100) for n in range(1100)]
    desired = plan_endpoints(svc(), pods)
    (subset,) = msgspec.json.decode(desired.subsets)
    assert desired.truncated
    assert len(subset["addresses"]) == 1000
    assert "notReadyAddresses" not in subset


def test_a_headless_service_without_ports_lists_addresses() -> None:
    (subset,) = msgspec.json.decode(plan_endpoints(svc(headless=True, ports=()), [pod(1)]).subsets)
    assert list(subset) == ["addresses"]


def test_a_change_is_dated_by_the_pod_that_began_it() -> None:
    young = svc(created=1000.0)
    (first,) = plan_slices(young, [pod(1, ready_since=400.0)], [], {}).create
    assert trigger_time(young, (), first.endpoints) == "1970-01-01T00:16:40Z"  # older pods: the Service itself began it
    assert trigger_time(young, (), ()) == "1970-01-01T00:16:40Z"
    pods = [pod(1, ready_since=400.0), pod(2, ready_since=2000.0), pod(3, ready_since=1800.0)]
    (grown,) = plan_slices(young, pods, made(pods[:1], young), {}).update
    assert trigger_time(young, first.endpoints, grown.endpoints) == "1970-01-01T00:30:00Z"
    leaving = [pod(1, ready_since=400.0, deleting=True), *pods[1:]]
    (shrunk,) = plan_slices(young, leaving, made(pods, young), {}).update
    assert trigger_time(young, grown.endpoints, shrunk.endpoints) is None
    (lost,) = plan_slices(young, [pod(1, ready=False, ready_since=3000.0)], made(pods[:1], young), {}).update
    assert trigger_time(young, first.endpoints, lost.endpoints) == "1970-01-01T00:50:00Z"
