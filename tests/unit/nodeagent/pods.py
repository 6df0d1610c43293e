"""Short ways to write pods and what is seen of them."""

from typing import Any

from api.core_v1 import Container, Pod, PodSpec, Probe
from api.meta_v1 import ObjectMeta
from nodeagent.model.memory import PodMemory
from nodeagent.model.seen import ContainerState, SeenContainer, SeenPod, SeenSandbox
from nodeagent.render.settings import NodeSettings, ResolvConf

NOW = 1_700_000_000.0
NODE = NodeSettings(
    name="n1",
    host_ips=("192.0.2.1",),
    root_dir="/agent",
    pod_logs="/logs",
    memory_capacity=8 << 30,
    allocatable={"cpu": "2", "memory": "8Gi"},
    cluster_dns=("10.96.0.10",),
    resolv_conf=ResolvConf(("192.0.2.53",), ("example.org",), ("rotate",)),
)


def pod(*names: str, init: tuple[str, ...] = (), sidecars: tuple[str, ...] = (), **spec: Any) -> Pod:
    """A pod with containers of these names; sidecars come after the init containers."""
    inits = [Container(name=n, image="i") for n in init]
    inits += [Container(name=n, image="i", restart_policy="Always") for n in sidecars]
    containers = [Container(name=n, image="i") for n in names or ("a",)]
    meta = ObjectMeta(name="p", namespace="ns", uid="u", generation=3)
    return Pod(metadata=meta, spec=PodSpec(containers=containers, init_containers=inits, **spec))


def sandbox(attempt: int = 0, ready: bool = True, ip: str = "10.0.0.5") -> SeenSandbox:
    return SeenSandbox(f"s{attempt}", attempt, ready, NOW + attempt, (ip,) if ready else ())


def container(
    name: str, state: str = "running", attempt: int = 0, code: int = 0, where: int = 0, at: float = 0.0
) -> SeenContainer:
    """A container; `at` says when it ended, seconds after NOW."""
    ended = state == "exited"
    return SeenContainer(
        id=f"{name}{attempt}",
        sandbox_id=f"s{where}",
        name=name,
        attempt=attempt,
        state=ContainerState(state),
        created_at=NOW + attempt + 0.1,
        started_at=NOW,
        finished_at=NOW + at if ended else 0.0,
        exit_code=code,
        reason="" if not ended else "Completed" if code == 0 else "Error",
    )


def seen(*things: SeenSandbox | SeenContainer) -> SeenPod:
    return SeenPod.of(
        [t for t in things if isinstance(t, SeenSandbox)], [t for t in things if isinstance(t, SeenContainer)]
    )


def memory(**fields: Any) -> PodMemory:
    """A memory in which the volumes are there."""
    made = PodMemory(NOW)
    made.volumes_ready = True
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def probe(**fields: Any) -> Probe:
    return Probe(period_seconds=1, timeout_seconds=1, success_threshold=1, failure_threshold=1, **fields)
