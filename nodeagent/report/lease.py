"""The node's heartbeat: a Lease in kube-node-lease, renewed every ten seconds."""

from api.core_v1 import Node
from api.meta_v1 import OwnerReference
from client.client import Client
from client.errors import ApiError
from client.leases import LeaseClaim
from kit import log
from kit.backoff import Backoff
from kit.clock import Clock

NAMESPACE = "kube-node-lease"
EVERY, SECONDS = 10.0, 40
_log = log.get("lease")


async def keep_alive(client: Client, node: Node, clock: Clock) -> None:
    """Renew until cancelled."""
    name = node.metadata.name or ""
    owner = OwnerReference(api_version="v1", kind="Node", name=name, uid=node.metadata.uid or "")
    claim = LeaseClaim(client, name, NAMESPACE, name, seconds=SECONDS, always=True, owners=[owner], clock=clock)
    retries = Backoff(base=0.2, cap=7.0, jitter=0.2).retries()
    while True:
        try:
            await claim.renew()
            retries.reset()
            wait = EVERY
        except ApiError as error:
            wait = retries.next()
            if retries.failures == 1:
                _log.warning("cannot renew the node's lease", error=error)
        await clock.sleep(wait)
