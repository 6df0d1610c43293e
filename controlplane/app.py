"""The control plane, wired: store, API server, scheduler and controllers in one process.

Scheduler and controllers use the same client interface as everybody else; here it leads to the API server without a socket. They start
when the API server answers, and end before it. Where several control planes share a store, those of one of them run.
"""

from __future__ import annotations

from pathlib import Path

from controlplane import election
from controlplane.apiserver.identity.settings import IdentitySettings
from controlplane.apiserver.server import ApiServer
from controlplane.apiserver.server import Settings as ApiSettings
from controlplane.config import Config, load
from controlplane.controllers import app as controllers
from controlplane.controllers.settings import Settings as ControllerSettings
from controlplane.scheduler import app as scheduler
from controlplane.store.choice import open_store
from kit.http.server import parse_address
from kit.http.tls import ServerTls, client_context
from kit.pki import load_pair
from kit.supervisor import Supervisor

__all__ = ["Config", "load", "run"]


async def run(config: Config, supervisor: Supervisor) -> None:
    """Start all parts; returns when the API server answers."""
    clock, pki = supervisor.clock, config.pki
    addresses = [parse_address(text) for text in config.listen]
    proxies = config.request_header
    tls = ServerTls(pki.serving_cert, pki.serving_key, pki.ca_cert, other_ca=proxies.client_ca if proxies else None)
    own = load_pair(pki.kubelet_client_cert, pki.kubelet_client_key)
    agents = client_context(cert=own.cert, key=own.key, verify=False)  # agents' own certificates may be self-signed
    store = await open_store(config.store_place, clock)
    supervisor.defer("store", store.close)
    settings = ApiSettings(
        address=config.advertise_address,
        port=addresses[0][1],
        service_cidrs=config.service_cidrs,
        node_ports=config.node_ports,
        client_ca=Path(pki.ca_cert).read_text(),
        agent_tls=agents,
        identity=IdentitySettings(
            signing_key=Path(pki.service_account_key).read_bytes(),
            issuer=config.service_account_issuer,
            audiences=config.api_audiences,
            token_file=config.token_auth_file,
            other_keys=tuple(Path(path).read_bytes() for path in pki.service_account_verification_keys),
            front=proxies.settings() if proxies else None,
        ),
        in_flight=(config.max_requests_inflight, config.max_mutating_requests_inflight),
        accounts=True,
    )
    server = ApiServer(store, settings, clock)
    await server.begin(supervisor)
    await server.listen(addresses, tls, supervisor)
    await server.ready()
    facts = ControllerSettings(
        ca_pem=Path(pki.ca_cert).read_text(), pod_cidr=config.pod_cidr, node_cidr_size=config.node_cidr_size
    )

    async def manage() -> None:
        await scheduler.run(server.client("system:kube-scheduler"), clock, supervisor)
        await controllers.run(server.client("system:kube-controller-manager"), clock, supervisor, facts)

    if store.shared:
        elector = server.client("system:kube-controller-manager")
        supervisor.spawn("election", lambda: election.lead(elector, clock, manage))
    else:
        await manage()
