"""The node runs low, in earnest: what pods use is measured, one is ended, the next is not taken."""

from fractions import Fraction

from api import kinds
from api.core_v1 import EmptyDirVolumeSource, Pod, ResourceRequirements, Volume, VolumeMount
from nodeagent.plan.pressure import Amount, Threshold
from nodeagent.upkeep.eviction import EvictionPolicy
from tests.cri.stage import Stage, make_pod, shell


def _reason(stage: Stage, name: str) -> str | None:
    found = stage.pod(name)
    return found.status.reason if found is not None else None


def _hoarder(name: str, size: str) -> Pod:
    script = "dd if=/dev/zero of=/scratch/file bs=1024 count=2048; sleep 1000"
    one = shell("a", script, volume_mounts=[VolumeMount(name="scratch", mount_path="/scratch")])
    return make_pod(name, one, volumes=[Volume(name="scratch", empty_dir=EmptyDirVolumeSource(size_limit=size))])


async def an_empty_dir_that_is_too_full(stage: Stage) -> None:
    """Who writes more than he may is ended, whatever is free; his neighbour stays."""
    await stage.create(_hoarder("thrifty", "100Mi"))
    await stage.create(_hoarder("hoarder", "1Mi"))
    await stage.until(lambda: _reason(stage, "hoarder") == "Evicted", "it is evicted")
    found = stage.pod("hoarder")
    assert found is not None
    assert (found.status.phase, found.status.message) == (
        "Failed",
        'Usage of EmptyDir volume "scratch" exceeds the limit "1Mi". ',
    )
    await stage.phase("thrifty", "Running")


async def memory_runs_low(stage: Stage) -> None:
    """Of two pods the one goes that uses more than it asked for; then a pod that asks for nothing is refused."""
    eater = "x=$(dd if=/dev/zero bs=65536 count=320 | tr '\\0' x); while :; do sleep 1000; done"
    modest = ResourceRequirements(requests={"memory": "500Mi"})
    await stage.create(make_pod("modest", shell("a", "sleep 1000", resources=modest)))
    await stage.create(
        make_pod("greedy", shell("a", eater, resources=ResourceRequirements(requests={"memory": "1Mi"})))
    )
    for name in ("modest", "greedy"):
        await stage.phase(name, "Running")
    eviction = stage.agent.eviction
    workers = [w for w in stage.agent.pods.workers.values() if w.state.pod.metadata.name == "greedy"]
    uid = workers[0].state.uid

    async def eats() -> bool:
        uses = await eviction.senses.uses([workers[0].state.pod], disks=False)
        return uid in uses and uses[uid].memory > 10 << 20

    await stage.until_async(eats, "one uses more than it asked for")
    count = eviction.count

    def first_of_all(signal: str, age: float) -> object:  # the look after the next would end the other one
        eviction.policy = EvictionPolicy((), transition=1000.0)
        return count(signal, age)

    eviction.count = first_of_all
    all_of_it = Threshold("memory.available", Amount(part=Fraction(1)))
    eviction.policy = EvictionPolicy((all_of_it,), transition=1000.0)
    await stage.until(lambda: _reason(stage, "greedy") == "Evicted", "it is evicted")
    found = stage.pod("greedy")
    assert found is not None
    message = found.status.message or ""
    assert message.startswith("The node was low on resource: memory. Threshold quantity: "), message
    assert "Container a was using " in message, message
    assert ", request is 1Mi, has larger consumption of memory. " in message, message
    assert [c.reason for c in found.status.conditions if c.type == "DisruptionTarget"] == ["TerminationByKubelet"]
    still = stage.pod("modest")
    assert still is not None and still.status.phase == "Running"
    await stage.create(make_pod("late", shell("a", "sleep 1000")))
    await stage.until(lambda: _reason(stage, "late") == "Evicted", "it is refused")
    late = stage.pod("late")
    assert late is not None and "The node had condition: [MemoryPressure]. " in (late.status.message or "")
    await stage.create(make_pod("asking", shell("a", "sleep 1000", resources=modest)))
    await stage.phase("asking", "Running")

    def told() -> bool:
        conditions = {c.type: c.status for node in stage.api.objects(kinds.NODE) for c in node.status.conditions}
        return conditions["MemoryPressure"] == "True"

    await stage.until(told, "the node says so")
