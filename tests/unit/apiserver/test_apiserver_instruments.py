"""What is measured of requests: strangers cannot make it grow."""

import pytest

from controlplane.apiserver.call import Call
from controlplane.apiserver.instruments import Instruments
from kit.metrics import Metrics


def counted(*calls: Call) -> list[str]:
    """The requests that were counted, by their labels."""
    metrics = Metrics()
    instruments = Instruments(metrics)
    for call in calls:
        instruments.done(call, 403, 0.001)
    lines = metrics.render().decode().splitlines()
    return [line for line in lines if line.startswith("apiserver_request_total{")]


def page(method: str, path: str) -> Call:
    return Call(method, path, verb=method.lower())


@pytest.mark.parametrize(
    "calls",
    [
        [page("GET", f"/openapi/v3/{number}") for number in range(50)],
        [page(f"MADE-UP-{number}", "/healthz") for number in range(50)],
    ],
)
def test_whatever_strangers_ask_is_one_line(calls):
    (line,) = counted(*calls)
    assert line.endswith(" 50.0")
    instruments = Instruments(Metrics())
    for call in calls:
        instruments.done(call, 403, 0.001)
    assert len(instruments._children) == 1


def test_pages_are_told_apart():
    calls = [
        page("GET", "/healthz"),
        page("GET", "/readyz"),
        page("GET", "/openapi/v3"),
        page("POST", "/healthz"),
        page("GET", "/nope"),
    ]
    assert len(counted(*calls)) == 4
