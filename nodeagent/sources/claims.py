"""The claims of pods' volumes and the PersistentVolumes they are bound to, read when the volumes are made.

Nobody watches them: what a pod began with it keeps, and a pod whose claim is not bound yet looks again after a while.
"""

import asyncio
from typing import Any

from api import kinds
from api.core_v1 import Pod
from client.client import Client
from client.errors import ApiError
from nodeagent.volumes.resolved import Claimed, claim_names


class Claims:
    """See the module."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def fetch(self, pod: Pod) -> dict[str, Claimed]:
        """What is behind each volume that names a claim, or why that cannot be used."""
        names = claim_names(pod)
        if not names:
            return {}
        owned = {volume.name for volume in pod.spec.volumes if volume.ephemeral is not None}
        found = await asyncio.gather(*(self._claimed(pod, name, volume in owned) for volume, name in names.items()))
        return dict(zip(names, found, strict=True))

    async def _claimed(self, pod: Pod, name: str, owned: bool) -> Claimed:
        namespace = pod.metadata.namespace or ""
        about = f"error processing PVC {namespace}/{name}: "
        try:
            claim = await self._client.get(kinds.PERSISTENT_VOLUME_CLAIM, name, namespace)
        except ApiError as error:
            return Claimed(problem=f"{about}failed to fetch PVC from API server: {error}")
        if problem := claim_problem(pod, claim, owned):
            return Claimed(problem=about + problem)
        try:
            volume = await self._client.get(kinds.PERSISTENT_VOLUME, claim.spec.volume_name or "")
        except ApiError as error:
            return Claimed(problem=f"{about}failed to fetch PV {claim.spec.volume_name} from API server: {error}")
        if problem := volume_problem(claim, volume):
            return Claimed(problem=about + problem)
        return Claimed(claim, volume)


class NoClaims:
    """A node without an API server knows of no claims."""

    async def fetch(self, pod: Pod) -> dict[str, Claimed]:
        """None, and why."""
        namespace, why = pod.metadata.namespace, "there is no API server to ask"
        return {
            volume: Claimed(problem=f"error processing PVC {namespace}/{name}: {why}")
            for volume, name in claim_names(pod).items()
        }


def claim_problem(pod: Pod, claim: Any, owned: bool) -> str:
    """Why a claim cannot be used, "" if it can. `owned`: it was made for the pod and for no other."""
    meta = claim.metadata
    if owned and not any(ref.controller and ref.uid == pod.metadata.uid for ref in meta.owner_references):
        who, whom = f"{meta.namespace}/{meta.name}", f"{pod.metadata.namespace}/{pod.metadata.name}"
        return f"PVC {who} was not created for pod {whom} (pod is not owner)"
    if meta.deletion_timestamp is not None:
        return "PVC is being deleted"
    if claim.status.phase != "Bound" or not claim.spec.volume_name:
        return "PVC is not bound"
    return ""


def volume_problem(claim: Any, volume: Any) -> str:
    """Why the volume that a claim names is not the claim's, "" if it is."""
    name, ref = volume.metadata.name, volume.spec.claim_ref
    if ref is None:
        return f"found PV object {name} with nil pv.Spec.ClaimRef indicating it is not yet bound to the claim"
    if ref.uid != claim.metadata.uid:
        theirs, ours = ref.uid or "", claim.metadata.uid
        return f"found PV object {name} with a pv.Spec.ClaimRef UID {theirs} that does not point to claim UID {ours}"
    return ""
