"""Whatever happens to server and connection, once it stays quiet the informer holds what the server holds, and told it in order."""

from __future__ import annotations

import asyncio
import random

import pytest

from api import codec, kinds
from api.core_v1 import ConfigMap
from api.meta_v1 import ObjectMeta
from client import Client, Informer
from client.fake import FakeTransport
from kit.backoff import Backoff
from kit.clock import FakeClock, settle


def mess(server: FakeTransport, rng: random.Random) -> None:
    """One random thing happens."""
    name = f"m{rng.randint(0, 6)}"
    there = {item.metadata.name for item in server.objects(kinds.CONFIG_MAP)}
    match rng.randint(0, 13):
        case 0 | 1 | 2 | 3 | 4 | 5:
            labels = {"app": rng.choice(["web", "db"])}
            meta = ObjectMeta(name=name, namespace="default", labels=labels)
            server.put(kinds.CONFIG_MAP, ConfigMap(metadata=meta, data={"v": str(rng.random())}))
        case 6 | 7 if name in there:
            server.remove(kinds.CONFIG_MAP, name, "default")
        case 8:
            server.faults.drop_watches()
        case 9:
            server.faults.end_watches()
        case 10:
            server.compact(rng.randint(0, server.revision))
        case 11:
            server.faults.fail(verb=rng.choice(["list", "watch"]), nth=rng.randint(1, 2))
        case 12:
            server.bookmark()
        case 13:
            (server.faults.go_away if rng.random() < 0.5 else server.faults.come_back)()


@pytest.mark.parametrize("seed", range(60))
async def test_the_copy_converges(seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    rng = random.Random(seed)
    clock = FakeClock()
    server = FakeTransport(clock, seed)
    informer = Informer(
        Client(server),
        kinds.CONFIG_MAP,
        lambda data: codec.decode(kinds.CONFIG_MAP, data),
        labels=rng.choice(["", "app=web"]),
        clock=clock,
        backoff=Backoff(base=0.1, cap=5, jitter=0.5, rng=random.Random(seed)),
    )
    mirror: dict[str, ConfigMap] = {}
    newest: dict[str, int] = {}

    def follow(key: str, old: ConfigMap | None, new: ConfigMap | None) -> None:
        assert mirror.get(key) == old, "each change begins where the last one ended"
        if new is None:
            del mirror[key]
            return
        revision = int(new.metadata.resource_version or "")
        assert revision > newest.get(key, 0), "never an older state over a newer one"
        assert old is None or old.metadata.uid == new.metadata.uid
        newest[key] = revision
        mirror[key] = new

    informer.subscribe(follow)
    task = asyncio.create_task(informer.run())
    for _ in range(150):
        mess(server, rng)
        if rng.random() < 0.4:
            await clock.advance(rng.choice([0, 0.05, 1, 3]))
    server.faults.come_back()
    server.faults._planned.clear()
    await clock.advance(30)
    assert "subscriber failed" not in (log := capsys.readouterr().err), log
    truth = {
        f"default/{item.metadata.name}": item
        for item in server.objects(kinds.CONFIG_MAP)
        if not informer._labels or item.metadata.labels["app"] == "web"
    }
    assert informer.store == truth == mirror and not task.done()
    task.cancel()
    await settle()
