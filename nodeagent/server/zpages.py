"""/statusz and /flagz: what this program is and how it was started, for people; and as objects for those who ask for them by kind."""

import platform
import time
from typing import Any

import msgspec

from api import times
from kit.http.model import Request, Response
from nodeagent.config import Config
from nodeagent.report.facts import VERSION

TEXT = "text/plain; charset=utf-8"
GROUP, VERSIONS = "config.k8s.io", ("v1beta1", "v1alpha1")
PATHS = (
    *("/attach", "/checkpoint", "/configz", "/containerLogs", "/debug/flags/v", "/debug/pprof/", "/exec", "/flagz"),
    *("/healthz", "/logs/", "/metrics", "/metrics/cadvisor", "/metrics/probes", "/metrics/resource", "/pods"),
    *("/portForward", "/run", "/runningpods/", "/stats/", "/statusz"),
)
_NOTE = "Warning: this page is for people who look for faults. Its form may change at any time."


def statusz(request: Request, started: float, now: float) -> Response:
    """Since when it runs, which version it is, and which pages it has."""
    up, version = int(max(0.0, now - started)), VERSION.removeprefix("v").partition("+")[0]
    language, emulated = f"python{platform.python_version()}", ".".join(version.split(".")[:2])
    fields = {
        "startTime": times.format_time(started),
        "uptimeSeconds": up,
        "goVersion": language,
        "binaryVersion": version,
        "emulationVersion": emulated,
        "paths": PATHS,
    }
    lines = [
        f"Started: {time.strftime('%a %b %e %H:%M:%S UTC %Y', time.gmtime(started))}",
        f"Up: {up // 3600} hr {up // 60 % 60:02} min {up % 60:02} sec",
        f"Go version: {language}",
        f"Binary version: {version}",
        f"Emulation version: {emulated}",
        f"Paths: {' '.join(PATHS)}",
    ]
    return _page(request, "Statusz", fields, lines)


def flagz(request: Request, config: Config) -> Response:
    """What upstream has flags for; all else is in /configz."""
    flags = {
        "container-runtime-endpoint": config.runtime_endpoint,
        "hostname-override": config.node_name,
        "kubeconfig": config.kubeconfig,
        "node-ip": config.node_address,
        "root-dir": config.root_dir,
    }
    return _page(request, "Flagz", {"flags": flags}, [f"{name}: {value}" for name, value in flags.items()])


def _page(request: Request, kind: str, fields: dict[str, Any], lines: list[str]) -> Response:
    wanted = wanted_version(request.header("accept"), kind)
    if wanted is None:
        offers = f"text/plain, application/json;as={kind};g={GROUP};v={VERSIONS[0]}"
        return Response(406, f"only the following media types are accepted: {offers}\n".encode(), TEXT)
    if not wanted:
        return Response(200, "\n".join(["", f"kubelet {kind.lower()}", _NOTE, "", *lines, ""]).encode(), TEXT)
    head = {"kind": kind, "apiVersion": f"{GROUP}/{wanted}", "metadata": {"name": "kubelet"}}
    return Response(200, msgspec.json.encode({**head, **fields}))


def wanted_version(accept: str, kind: str) -> str | None:
    """As which version the object is wanted; empty for text, None for what there is not."""
    for choice in accept.split(",") if accept.strip() else ["*/*"]:
        media, *words = (part.strip() for part in choice.split(";"))
        if media in ("*/*", "text/*", "text/plain"):
            return ""
        fields = dict(word.split("=", 1) for word in words if "=" in word)
        named = (fields.get("as"), fields.get("g")) == (kind, GROUP)
        if media == "application/json" and named and fields.get("v") in VERSIONS:
            return fields["v"]
    return None
