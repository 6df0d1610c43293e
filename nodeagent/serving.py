"""The agent's own API, wired: who judges callers, where the numbers come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from linux.cgroup import slice_path
from nodeagent.csi import ledger
from nodeagent.model.spec import is_host_network
from nodeagent.render.container import pod_directory
from nodeagent.render.sandbox import log_directory
from nodeagent.server.app import AgentApi, Instruments
from nodeagent.server.callers import AccessPolicy, Gate, ServerReviews
from nodeagent.server.storage import NoDrivers, Storage, StorageSurvey, StorageUse, claim_metrics
from nodeagent.server.survey import SurveyedContainer, SurveyedPod, Surveyor
from nodeagent.sync.doors import WARNING
from nodeagent.volumes.resolved import claim_names

if TYPE_CHECKING:
    from nodeagent.app import Agent

_STORAGE = ("csi", "nfs", "local")


def agent_api(agent: Agent) -> AgentApi:
    """The handler of the agent's server."""
    config, clock = agent.config, agent.clock
    reviews = ServerReviews(agent.client, config.node_name) if agent.client is not None else None
    access = config.access
    policy = AccessPolicy(
        access.anonymous, access.allow_all, access.token_seconds, access.allowed_seconds, access.denied_seconds
    )
    storage = StorageSurvey(
        clock,
        agent.link.drivers if agent.link is not None else NoDrivers(),
        lambda: pod_storage(agent),
        lambda found: _tell_unwell(agent, found),
    )
    top = group_path(agent.doors.cgroups.top())
    took = agent.tally.measuring_seconds.add
    surveyor = Surveyor(agent.runtime, clock, config.root_dir, top, lambda: surveyed_pods(agent), storage, took)
    return AgentApi(
        config,
        agent.pods,
        agent.runtime,
        agent.settings,
        Gate(clock, reviews, policy),
        Instruments(_Expositor(agent, surveyor, storage), lambda: _probes(agent)),
        agent.problem,
        surveyor,
        clock,
    )


class _Expositor:
    """The page of the agent's own numbers."""

    def __init__(self, agent: Agent, surveyor: Surveyor, storage: StorageSurvey) -> None:
        self._agent = agent
        self._surveyor = surveyor
        self._storage = storage

    async def __call__(self) -> bytes:
        from nodeagent.report.tally import exposition  # nobody may ever ask
        from nodeagent.server.census import census, logs
        from nodeagent.server.process import process_numbers

        agent = self._agent
        shown = (logs(*await self._surveyor.disks()), *claim_metrics(await self._storage.look()))
        network = agent.network.exposition() if agent.network is not None else b""
        return exposition((*agent.tally.measures(), *census(agent), *shown, *process_numbers())) + network


def _probes(agent: Agent) -> bytes:
    from nodeagent.server.probes import probe_page

    return probe_page(agent.prober.results())


def surveyed_pods(agent: Agent) -> list[SurveyedPod]:
    """Where to look for what pods use."""
    found = []
    for worker in agent.pods.workers.values():
        pod, seen = worker.state.pod, worker.state.seen.overlay(worker.state.exits)
        sandbox = seen.sandbox
        if sandbox is None or not sandbox.ready or not pod.metadata.uid:
            continue
        group = group_path(agent.doors.cgroups.parent(pod))
        containers = tuple(
            SurveyedContainer(c.id, c.name, c.image, container_group(group, c.id)) for c in seen.running()
        )
        found.append(
            SurveyedPod(
                uid=pod.metadata.uid,
                namespace=pod.metadata.namespace or "",
                name=pod.metadata.name or "",
                sandbox=sandbox.id,
                group=group,
                directory=pod_directory(pod.metadata.uid, agent.settings),
                logs=log_directory(pod, agent.settings),
                started=sandbox.created_at,
                containers=containers,
                own_network=not is_host_network(pod),
            )
        )
    return found


def pod_storage(agent: Agent) -> list[Storage]:
    """Where to look for how full the volumes of pods are that are not on this node's own disk."""
    found = []
    for uid, worker in agent.pods.workers.items():
        pod = worker.state.pod
        if not worker.state.memory.volumes_ready or worker.state.memory.cleaned:
            continue
        claims, places = claim_names(pod), agent.doors.volumes.places(pod)
        chosen = [one for one in agent.doors.volumes.resolved(pod) if one.kind in _STORAGE]
        records = {one.label: one for one in ledger.records(agent.config.root_dir, uid)} if chosen else {}
        for one in chosen:
            record = records.get(one.label) if one.kind == "csi" else None
            if record is not None or not (one.kind == "csi" or one.block):
                path, claim = places[one.name].path, claims.get(one.name, "")
                found.append(Storage(uid, one.name, path, pod.metadata.namespace or "", claim, record))
    return found


def _tell_unwell(agent: Agent, found: StorageUse) -> None:
    """A driver says that something is wrong with a volume."""
    if (worker := agent.pods.workers.get(found.storage.uid)) is not None:
        text = f"Volume {found.storage.name}: {found.message}"
        agent.doors.events.tell(worker.state.pod, WARNING, "VolumeConditionAbnormal", text)


def group_path(name: str) -> str:
    """The path of a group, also of a slice of systemd."""
    return slice_path(name) if name.endswith(".slice") else name


def container_group(pod_group: str, ident: str) -> str:
    """The group that the runtime makes for a container."""
    return f"{pod_group}/cri-containerd-{ident}.scope" if pod_group.endswith(".slice") else f"{pod_group}/{ident}"
