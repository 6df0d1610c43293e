"""The health pages and metrics of a program, over its own small server."""

import asyncio

import pytest

from kit.http.client import HttpClient
from kit.http.health import Health
from kit.http.server import Server
from kit.metrics import Metrics


class Trouble:
    """Checks whose answers a test chooses."""

    def __init__(self) -> None:
        self.live = self.ready = ""


async def test_pages() -> None:
    trouble, metrics = Trouble(), Metrics()
    metrics.counter("things", "Things done.", ["kind"]).labels("a").inc(3)
    health = Health(metrics, {"loop": lambda: trouble.live}, {"synced": lambda: trouble.ready})
    async with Server(health) as server:
        client = HttpClient("127.0.0.1", server.port)

        async def get(path: str) -> tuple[int, str]:
            reply = await client.request("GET", path)
            return reply.status, reply.body.decode()

        assert await get("/healthz") == await get("/livez") == await get("/readyz") == (200, "ok")
        trouble.ready = "not yet"
        assert await get("/livez") == (200, "ok")
        assert await get("/readyz") == (500, "[+]loop ok\n[-]synced failed: not yet\ncheck failed\n")
        assert await get("/livez?verbose") == (200, "[+]loop ok\ncheck passed\n")
        trouble.live = "stuck"
        assert (await get("/healthz"))[0] == (await get("/readyz"))[0] == 500
        status, text = await get("/metrics")
        assert status == 200 and 'things_total{kind="a"} 3.0' in text and "process_resident_memory_bytes" in text
        assert (await get("/nope"))[0] == 404
        assert (await client.request("POST", "/healthz")).status == 405
        await client.close()


async def test_metrics_are_rendered_once_for_all_who_wait() -> None:
    metrics = Metrics(process=False)
    reads: list[int] = []

    def read() -> float:
        reads.append(1)
        return 7

    metrics.gauge_of("seven", "Seven.", read)
    texts = await asyncio.gather(*(metrics.exposition() for _ in range(5)))
    assert len(reads) == 1 and set(texts) == {metrics.render()} and b"seven 7.0" in texts[0]
    await metrics.exposition()
    assert len(reads) == 3


async def test_registries_are_apart() -> None:
    one, two = Metrics(process=False), Metrics(process=False)
    one.histogram("took_seconds", "How long.").observe(0.002)
    two.histogram("took_seconds", "How long.")
    assert b'took_seconds_bucket{le="0.0025"} 1.0' in one.render() and b'le="0.0025"} 0.0' in two.render()
    with pytest.raises(ValueError, match="Duplicated"):
        one.counter("took_seconds", "Again.")
