"""/metrics/probes: how probes came out, and how long they took."""

from collections.abc import Iterable, Mapping

from nodeagent.report.measures import BETA, Sample, Shown, Spread, head
from nodeagent.server.process import start_time, started

Probe = tuple[str, Mapping[str, str], Mapping[str, int], Spread]  # pod's uid, labels, results, seconds


def probe_page(probes: Iterable[Probe]) -> bytes:
    """The whole page."""
    found = sorted(probes, key=lambda one: (*one[1].values(), one[0]))
    counts: list[Sample] = [
        ({**labels, "pod_uid": uid, "result": result}, count)
        for uid, labels, results, _ in found
        for result, count in sorted(results.items())
    ]
    lines: list[str] = []
    name = "prober_probe_duration_seconds"
    if found:
        lines += head(name, "histogram", "How long probes took.")
    for _, labels, _, seconds in found:
        lines += seconds.lines(name, labels)
    lines += Shown("prober_probe_total", "Probes, by how they came out.", counts, "counter", BETA).lines()
    lines += started(start_time()).lines()
    return "".join(f"{line}\n" for line in lines).encode()
