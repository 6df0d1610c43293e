"""The service proxy, wired: informers feed the syncer, the syncer has a backend, two small servers tell how it is."""

from __future__ import annotations

import asyncio
import dataclasses

from api import kinds
from api.core_v1 import ObjectReference
from client import kubeconfig
from client.client import Client
from client.events import NORMAL, WARNING, EventRecorder
from client.http import HttpTransport
from client.informer import Informer
from kit import log
from kit.http.health import Health as MetricsPages
from kit.http.server import Server, parse_address
from kit.metrics import Metrics
from kit.supervisor import Supervisor
from linux import conntrack
from linux.sysctl import NotFound, ProcSysctl, Sysctl, SysctlError
from proxy.backends.choice import IpvsOptions, choose, clean_others
from proxy.backends.interface import Backend, BackendError
from proxy.config import Config, facts, load
from proxy.model.addresses import TCP, UDP
from proxy.model.endpointslice import slice_extractor
from proxy.model.node import extract_node
from proxy.model.service import HEADLESS_LABEL, PROXY_NAME_LABEL, extract_service
from proxy.sync.flows import FlowCleaner
from proxy.sync.healthports import Complain, HealthPorts
from proxy.sync.metrics import ProxyMetrics
from proxy.sync.pages import Pages
from proxy.sync.syncer import Syncer

__all__ = ["Config", "load", "run"]

LABELS = f"!{PROXY_NAME_LABEL},!{HEADLESS_LABEL}"
# Forwarding, and bridged packets (pod to pod on this node, through a Service) must pass the rules. Never route_localnet.
SETTINGS = (
    ("net.ipv4.ip_forward", True),
    ("net.ipv6.conf.all.forwarding", False),
    ("net.bridge.bridge-nf-call-iptables", False),
    ("net.bridge.bridge-nf-call-ip6tables", False),
)

_log = log.get("proxy")


async def run(config: Config, supervisor: Supervisor) -> None:
    """Start all parts; the rules follow as soon as the API server has told everything."""
    access = kubeconfig.load(config.kubeconfig) if config.kubeconfig else kubeconfig.in_cluster()
    if config.server:
        access = dataclasses.replace(access, server=config.server)
    client = Client(HttpTransport(access, agent="wherry-proxy"))
    supervisor.defer("client", client.close)
    await start(config, client, supervisor)


async def start(config: Config, client: Client, supervisor: Supervisor) -> Syncer:
    """As `run`, with a client that is already there."""
    clock = supervisor.clock
    prepare_kernel(ProcSysctl())
    options = IpvsOptions(config.ipvs.scheduler, config.ipvs.strict_arp)
    backend = await asyncio.to_thread(choose, config.mode, config.iptables_variant, options)
    supervisor.defer("backend", backend.close)
    _log.info("chosen backend", backend=backend.name, families=list(backend.families()), node=config.node_name)
    metrics = ProxyMetrics(Metrics())
    tracked = conntrack.Kernel()
    supervisor.defer("conntrack", tracked.close)
    cleaner = FlowCleaner(tracked, clock, metrics, (UDP, TCP) if config.end_tcp_connections else (UDP,))
    syncer = Syncer(backend, facts(config), clock, metrics, cleaner)
    await _serve(config, syncer, metrics, supervisor)
    events = EventRecorder(client, "kube-proxy", config.node_name, clock=clock)
    events.record(ObjectReference(kind="Node", api_version="v1", name=config.node_name), NORMAL, "Starting", "")
    complain = complaints(events)
    ports = HealthPorts(syncer.cluster, lambda: syncer.health.healthy, clock, complain)
    supervisor.defer("health ports", ports.close)
    syncer.on_seen, syncer.complain = ports.look, complain

    services = Informer(client, kinds.SERVICE, extract_service, labels=LABELS, clock=clock)
    extract_slice = slice_extractor(config.node_name)
    slices = Informer(client, kinds.ENDPOINT_SLICE, extract_slice, labels=LABELS, clock=clock)
    node = Informer(client, kinds.NODE, extract_node, fields=f"metadata.name={config.node_name}", clock=clock)
    services.subscribe(syncer.on_service)
    slices.subscribe(syncer.on_slice)
    node.subscribe(lambda _, __, new: syncer.on_node(new))
    supervisor.spawn("events", events.run, restart=True)
    supervisor.spawn("health ports", ports.run, restart=True)
    supervisor.spawn("flows", cleaner.run, restart=True)
    complete = [services.synced, slices.synced]
    if syncer.ledger.facts.primary is not None:
        complete.append(node.synced)  # else node ports would be nowhere at first
    supervisor.spawn("syncer", lambda: syncer.run(complete), restart=True)
    supervisor.spawn("clean others", lambda: _clean_others(backend, syncer))
    for name, informer in (("services", services), ("endpointslices", slices), ("node", node)):
        supervisor.spawn(name, informer.run, restart=True)
    return syncer


def complaints(events: EventRecorder) -> Complain:
    """Tells a Service, by its key, that something in it cannot be had."""

    def complain(service: str, reason: str, message: str) -> None:
        namespace, _, name = service.partition("/")
        about = ObjectReference(kind="Service", api_version="v1", namespace=namespace, name=name)
        events.record(about, WARNING, reason, message)

    return complain


def prepare_kernel(settings: Sysctl) -> None:
    """Let this host forward packets. Without IPv4 forwarding nothing works, so that must succeed."""
    for name, required in SETTINGS:
        try:
            if settings.write(name, "1"):
                _log.info("set kernel setting", name=name, value=1)
        except NotFound:
            if required:
                raise
        except SysctlError as error:
            if required:
                raise
            _log.warning("cannot set kernel setting", name=name, error=error)


async def _serve(config: Config, syncer: Syncer, metrics: ProxyMetrics, supervisor: Supervisor) -> None:
    pages = Pages(MetricsPages(metrics.registry), syncer)
    for name, address, handler in (("healthz", config.healthz, syncer.health), ("metrics", config.metrics, pages)):
        if address:
            server = Server(handler, *parse_address(address), clock=supervisor.clock)
            await server.start()
            supervisor.defer(name, server.close)


async def _clean_others(backend: Backend, syncer: Syncer) -> None:
    """Once our rules are there, remove those of a backend that ran before: no connection is refused in between."""
    await syncer.programmed.wait()
    try:
        removed = await asyncio.to_thread(clean_others, backend)
    except* BackendError as group:
        _log.warning("cannot remove another backend's rules", error="; ".join(str(e) for e in group.exceptions))
    else:
        if removed:
            _log.info("removed another backend's rules", what=removed)
