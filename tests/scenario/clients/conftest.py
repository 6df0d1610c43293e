"""A control plane with a node that only says that its pods run, in a thread of its own: the libraries block, or have loops of their own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from tests.scenario.kubectl import world
from tests.scenario.kubectl.world import World

PATIENCE = 180.0


async def serve(directory: Path, started: Future[tuple[World, asyncio.AbstractEventLoop, asyncio.Event]]) -> None:
    """Run it until the event is set."""
    ended = asyncio.Event()
    try:
        async with world.running(directory, node=True) as place:
            started.set_result((place, asyncio.get_running_loop(), ended))
            await ended.wait()
    except BaseException as error:
        if started.done():
            raise
        started.set_exception(error)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The running control plane; `place.kubeconfig` is the administrator's."""
    started: Future[tuple[World, asyncio.AbstractEventLoop, asyncio.Event]] = Future()
    directory = tmp_path_factory.mktemp("control-plane")
    thread = threading.Thread(target=lambda: asyncio.run(serve(directory, started)), name="control-plane")
    thread.start()
    found, loop, ended = started.result(PATIENCE)
    yield found
    loop.call_soon_threadsafe(ended.set)
    thread.join(PATIENCE)
    assert not thread.is_alive()


@pytest.fixture
def namespace(place: World, request: pytest.FixtureRequest) -> str:
    """A fresh namespace with its service account."""
    from lightkube import Client, KubeConfig
    from lightkube.models.meta_v1 import ObjectMeta
    from lightkube.resources.core_v1 import Namespace, ServiceAccount

    name = request.node.name.replace("_", "-").replace("[", "-").replace("]", "")[:60].strip("-").lower()
    with Client(KubeConfig.from_file(str(place.kubeconfig)).get()) as client:
        client.create(Namespace(metadata=ObjectMeta(name=name)))
        for _, account in client.watch(ServiceAccount, namespace=name, server_timeout=60):
            if account.metadata.name == "default":
                break
    return name
