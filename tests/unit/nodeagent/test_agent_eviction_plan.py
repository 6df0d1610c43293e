"""Who has to go, and what is told, by table."""

import pytest

from api.core_v1 import (
    Container,
    EmptyDirVolumeSource,
    Pod,
    PodSpec,
    ResourceRequirements,
    Toleration,
    Volume,
)
from api.meta_v1 import ObjectMeta
from nodeagent.plan.eviction import ContainerUse, PodUse, over_its_limits, rank, refusal, verdict
from nodeagent.plan.pressure import Amount, Free, Threshold

MI = 1 << 20
MEMORY = Threshold("memory.available", Amount(100 * MI))


def pod(name: str, *, asks: str = "", priority: int = 0, limits: dict[str, str] | None = None) -> Pod:
    needs = ResourceRequirements(requests={"memory": asks} if asks else {}, limits=limits or {})
    spec = PodSpec(containers=[Container(name="main", resources=needs)], priority=priority)
    return Pod(metadata=ObjectMeta(name=name, uid=name, resource_version="1"), spec=spec)


def order(pods: list[Pod], uses: dict[str, PodUse], resource: str = "memory") -> list[str]:
    return [found.metadata.name or "" for found in rank(pods, uses, resource)]


def test_who_uses_more_than_asked_goes_first_then_by_priority_then_by_how_much() -> None:
    pods = [pod("modest", asks="1Gi"), pod("greedy"), pod("greedier"), pod("dear", priority=9), pod("unknown")]
    uses = {
        "modest": PodUse(memory=900 * MI),
        "greedy": PodUse(memory=10 * MI),
        "greedier": PodUse(memory=20 * MI),
        "dear": PodUse(memory=500 * MI),
    }
    assert order(pods, uses) == ["unknown", "greedier", "greedy", "dear", "modest"]


def test_for_processes_priority_comes_first() -> None:
    pods = [pod("few"), pod("many"), pod("dear", priority=1)]
    uses = {"few": PodUse(processes=1), "many": PodUse(processes=50), "dear": PodUse(processes=90)}
    assert order(pods, uses, "pids") == ["many", "few", "dear"]


def test_critical_pods_stay() -> None:
    static, mirror = pod("static"), pod("mirror")
    static.metadata.resource_version = None
    static.metadata.annotations = {"kubernetes.io/config.source": "file"}
    mirror.metadata.annotations = {"kubernetes.io/config.mirror": "x"}
    assert order([static, mirror, pod("system", priority=2_000_000_000), pod("user")], {}) == ["user"]


def test_what_is_told() -> None:
    use = PodUse(memory=80 * MI, containers={"main": ContainerUse(memory=80 * MI)})
    told = verdict(pod("a"), use, MEMORY, Free(50 * MI, 512 * MI))
    assert (told.reason, told.disruption) == ("Evicted", told.message)
    assert told.message == (
        "The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. "
        "Container main was using 80Mi, request is 0, has larger consumption of memory. "
    )
    modest = verdict(pod("a", asks="100Mi"), use, MEMORY, Free(51201 * 1024, 512 * MI))
    assert modest.message == "The node was low on resource: memory. Threshold quantity: 100Mi, available: 51201Ki. "


@pytest.mark.parametrize(
    ("limits", "volume", "use", "told"),
    [
        ({}, "10Mi", PodUse(volumes={"scratch": 10 * MI}), None),
        (
            {},
            "10Mi",
            PodUse(volumes={"scratch": 10 * MI + 1}),
            'Usage of EmptyDir volume "scratch" exceeds the limit "10Mi". ',
        ),
        ({"ephemeral-storage": "1Gi"}, "", PodUse(storage=1024 * MI), None),
        (
            {"ephemeral-storage": "1Gi"},
            "",
            PodUse(storage=1025 * MI),
            "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. ",
        ),
        (
            {"ephemeral-storage": "1Gi"},
            "",
            PodUse(storage=5, containers={"main": ContainerUse(storage=1025 * MI)}),
            'Container main exceeded its local ephemeral storage limit "1Gi". ',
        ),
    ],
)
def test_limits_of_its_own(limits: dict[str, str], volume: str, use: PodUse, told: str | None) -> None:
    found = pod("a", limits=limits)
    if volume:
        found.spec.volumes = [Volume(name="scratch", empty_dir=EmptyDirVolumeSource(size_limit=volume))]
    decided = over_its_limits(found, use)
    assert (decided.message if decided else None) == told


TOLERANT = Toleration(key="node.kubernetes.io/memory-pressure", operator="Exists", effect="NoSchedule")


@pytest.mark.parametrize(
    ("asks", "priority", "tolerates", "conditions", "told"),
    [
        ("", 0, False, (), None),
        ("", 0, False, ("MemoryPressure",), "The node had condition: [MemoryPressure]. "),
        ("1Mi", 0, False, ("MemoryPressure",), None),
        ("", 0, True, ("MemoryPressure",), None),
        (
            "1Mi",
            0,
            True,
            ("DiskPressure", "MemoryPressure"),
            "The node had condition: [DiskPressure MemoryPressure]. ",
        ),
        ("1Mi", 0, True, ("DiskPressure",), "The node had condition: [DiskPressure]. "),
        ("", 2_000_000_000, False, ("DiskPressure",), None),
    ],
)
def test_who_may_begin(
    asks: str, priority: int, tolerates: bool, conditions: tuple[str, ...], told: str | None
) -> None:
    found = pod("a", asks=asks, priority=priority)
    if tolerates:
        found.spec.tolerations = [TOLERANT]
    refused = refusal(found, conditions)
    assert (refused.message if refused else None) == told
    assert refused is None or (refused.reason, refused.rejected) == ("Evicted", True)
