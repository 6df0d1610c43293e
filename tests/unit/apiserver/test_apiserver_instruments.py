"""What is measured of requests: strangers cannot make it grow."""

import pytest

from api import kinds
from controlplane.apiserver.call import Call, Target
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
    assert len(instruments._tallies) == 1


def test_pages_are_told_apart():
    calls = [
        page("GET", "/healthz"),
        page("GET", "/readyz"),
        page("GET", "/openapi/v3"),
        page("POST", "/healthz"),
        page("GET", "/nope"),
    ]
    assert len(counted(*calls)) == 4


def test_answers_of_all_codes_are_one_histogram_and_a_counter_each() -> None:
    metrics = Metrics(process=False)
    instruments = Instruments(metrics)
    target = Target(kinds.POD, "default", "web")
    for code, seconds in ((200, 0.001), (200, 0.03), (404, 70.0)):
        instruments.done(Call("GET", "/api/v1/namespaces/default/pods/web", target=target, verb="get"), code, seconds)
    labels = 'component="apiserver",dry_run="",group="",resource="pods",scope="resource",subresource="",verb="GET",version="v1"'
    told = {}
    for line in metrics.render().decode().splitlines():
        if line.startswith("apiserver_request"):
            name, _, rest = line.partition("{")
            within, _, value = rest.partition("} ")
            told[name, ",".join(sorted(within.split(",")))] = value
    assert told["apiserver_request_total", ",".join(sorted(f'{labels},code="200"'.split(",")))] == "2.0"
    assert told["apiserver_request_total", ",".join(sorted(f'{labels},code="404"'.split(",")))] == "1.0"
    buckets = {"0.005": "1.0", "0.025": "1.0", "0.05": "2.0", "60.0": "2.0", "+Inf": "3.0"}
    for bound, count in buckets.items():
        key = ",".join(sorted(f'{labels},le="{bound}"'.split(",")))
        assert told["apiserver_request_duration_seconds_bucket", key] == count
    assert told["apiserver_request_duration_seconds_count", labels] == "3.0"
    assert told["apiserver_request_duration_seconds_sum", labels] == "70.031"
