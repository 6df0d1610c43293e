"""An operator made with kopf, unchanged: handlers of creation, updates and deletion, finalizers, timers, events, annotations."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import kopf
import pytest
from lightkube import ApiError, AsyncClient, KubeConfig, codecs
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Event

from tests.scenario.clients import operator_under_test
from tests.scenario.clients.manifests import config_map, deployment
from tests.scenario.kubectl.world import World

PATIENCE = 180.0


async def until(holds: Callable[[], Awaitable[Any]]) -> Any:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := await holds():
            return found
        await asyncio.sleep(0.1)
    pytest.fail("not in time")


async def test_an_operator_works(place: World, namespace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(place.kubeconfig))
    stop, ready = asyncio.Event(), asyncio.Event()
    registry = kopf.get_default_registry()
    operator = asyncio.create_task(
        kopf.operator(registry=registry, namespaces=[namespace], standalone=True, stop_flag=stop, ready_flag=ready)
    )
    try:
        await asyncio.wait_for(ready.wait(), PATIENCE)
        settings = KubeConfig.from_file(str(place.kubeconfig)).get()
        async with AsyncClient(settings, namespace=namespace) as client:
            await watch_a_life(client, namespace)
            await watch_a_deployment(client)
    finally:
        stop.set()
        await asyncio.wait_for(operator, PATIENCE)


async def annotations(client: AsyncClient, name: str) -> dict[str, str]:
    return (await client.get(ConfigMap, name)).metadata.annotations or {}


async def watch_a_life(client: AsyncClient, namespace: str) -> None:
    await client.create(codecs.from_dict(config_map("c", {"watched": "yes", "ticking": "yes"}, size="1")))

    async def seen() -> bool:
        return (await annotations(client, "c")).get("example.com/seen") == "created"

    await until(seen)
    assert "example.com/operator" in (await client.get(ConfigMap, "c")).metadata.finalizers
    await client.patch(ConfigMap, "c", {"data": {"size": "2"}})

    async def sized() -> bool:
        return (await annotations(client, "c")).get("example.com/size") == "1->2"

    await until(sized)

    async def ticked() -> bool:
        return int((await annotations(client, "c")).get("example.com/ticks", "0")) >= 2

    await until(ticked)

    async def told() -> list[str]:
        return [event.message async for event in client.list(Event) if event.reason == "Seen"]

    assert await until(told) == ["c was made"]
    await client.delete(ConfigMap, "c")

    async def gone() -> bool:
        try:
            await client.get(ConfigMap, "c")
        except ApiError as error:
            return error.status.code == 404
        return False

    await until(gone)
    assert [f"{namespace}/c"] == operator_under_test.MEMORY


async def watch_a_deployment(client: AsyncClient) -> None:
    document = deployment("web", 1)
    document["metadata"]["labels"]["watched"] = "yes"
    await client.create(codecs.from_dict(document))

    async def available() -> bool:
        return "web" in operator_under_test.AVAILABLE

    await until(available)
    await client.delete(Deployment, "web")
