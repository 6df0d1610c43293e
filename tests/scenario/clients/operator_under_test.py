"""A kopf operator as people write them, on built-in kinds."""

from typing import Any

import kopf


@kopf.on.startup()
async def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
    settings.persistence.finalizer = "example.com/operator"
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix="example.com")
    settings.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(prefix="example.com")
    settings.posting.enabled = True


@kopf.on.login()
def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
    return kopf.login_with_kubeconfig(**kwargs)


@kopf.on.create("configmaps", labels={"watched": "yes"})
async def made(name: str, body: kopf.Body, patch: kopf.Patch, **_: Any) -> dict[str, str]:
    patch.metadata.annotations["example.com/seen"] = "created"
    kopf.info(body, reason="Seen", message=f"{name} was made")
    return {"made": name}


@kopf.on.update("configmaps", labels={"watched": "yes"}, field="data.size")
async def sized(old: Any, new: Any, patch: kopf.Patch, **_: Any) -> None:
    patch.metadata.annotations["example.com/size"] = f"{old}->{new}"


@kopf.on.delete("configmaps", labels={"watched": "yes"})
async def gone(name: str, namespace: str, memo: kopf.Memo, **_: Any) -> None:
    MEMORY.append(f"{namespace}/{name}")


@kopf.timer("configmaps", interval=0.5, labels={"ticking": "yes"})
async def tick(annotations: kopf.Annotations, patch: kopf.Patch, **_: Any) -> None:
    patch.metadata.annotations["example.com/ticks"] = str(int(annotations.get("example.com/ticks", "0")) + 1)


@kopf.on.event("deployments", labels={"watched": "yes"})
async def deployment_seen(name: str, status: kopf.Status, memo: kopf.Memo, **_: Any) -> None:
    if status.get("availableReplicas"):
        AVAILABLE.add(name)


@kopf.index("pods", labels={"app": "web"})
async def nodes(name: str, spec: kopf.Spec, **_: Any) -> dict[str, str]:
    return {name: spec.get("nodeName", "")}


MEMORY: list[str] = []
AVAILABLE: set[str] = set()
