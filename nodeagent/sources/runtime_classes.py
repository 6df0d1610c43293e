"""How a pod is to be run: the handler that its RuntimeClass names, and whether the runtime can do what the pod asks of it."""

from dataclasses import dataclass

from api import kinds
from api.core_v1 import Pod
from client import errors
from client.client import Client
from nodeagent.cri.errors import Refused
from nodeagent.cri.port import Runtime

CALL = "run pod sandbox"


@dataclass(frozen=True, slots=True)
class RuntimeClasses:
    """Asked once a sandbox: RuntimeClasses are few and change rarely, so nothing is kept of them."""

    runtime: Runtime
    client: Client | None = None

    async def handler(self, pod: Pod) -> str:
        """The runtime's handler for this pod, empty for its usual one. Raises `Refused`."""
        handler = await self._named(pod) if pod.spec.runtime_class_name else ""
        if pod.spec.host_users is False:
            await self._check_users(pod, handler)
        return handler

    async def _named(self, pod: Pod) -> str:
        name = pod.spec.runtime_class_name or ""
        if self.client is None:
            raise _refused(pod, f'runtimeclass.node.k8s.io "{name}" not found')
        try:
            return (await self.client.get(kinds.RUNTIME_CLASS, name)).handler
        except errors.NotFound as error:
            raise _refused(pod, f'runtimeclass.node.k8s.io "{name}" not found') from error
        except errors.ApiError as error:
            raise _refused(pod, f"failed to lookup RuntimeClass {name}: {error}") from error

    async def _check_users(self, pod: Pod, handler: str) -> None:
        handlers = (await self.runtime.status()).handlers
        if not any(h.name == handler and h.user_namespaces for h in handlers):
            who = f'RuntimeClass handler "{handler}"' if handler else "runtime"
            raise _refused(pod, f"can't set `spec.hostUsers: false`, {who} does not support user namespaces")


def _refused(pod: Pod, reason: str) -> Refused:
    return Refused(CALL, pod.metadata.name or "", reason)
