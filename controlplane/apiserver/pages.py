"""What is no resource: discovery, OpenAPI, the version, health and metrics."""

from __future__ import annotations

import platform
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from controlplane.apiserver import status
from controlplane.apiserver.call import Answer, Call, Result
from controlplane.apiserver.discovery import Discovery
from controlplane.apiserver.identity.users import UNAUTHENTICATED
from controlplane.apiserver.openapi.v2 import Swagger
from controlplane.apiserver.openapi.v3 import OpenApi
from kit.metrics import CONTENT_TYPE, Metrics

VERSION = "v1.36.0+wherry"
_TEXT = "text/plain; charset=utf-8"
_NO_PAGE = b"404 page not found\n"
_EXCLUDED = "excluded"
Check = Callable[[], str]


def about() -> dict[str, str]:
    """What /version says."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    major, minor = VERSION.removeprefix("v").split(".")[:2]
    return {
        "major": major,
        "minor": minor,
        "emulationMajor": major,
        "emulationMinor": minor,
        "minCompatibilityMajor": major,
        "minCompatibilityMinor": str(int(minor) - 1),
        "gitVersion": VERSION,
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": f"python{platform.python_version()}",
        "compiler": platform.python_implementation().lower(),
        "platform": f"linux/{machine}",
    }


class Pages:
    """Serves the pages. A check answers "" when all is well, else what is wrong; `ready` checks count for /readyz alone."""

    def __init__(
        self,
        discovery: Discovery,
        openapi: OpenApi,
        swagger: Swagger,
        metrics: Metrics,
        *,
        live: Mapping[str, Check],
        ready: Mapping[str, Check],
    ) -> None:
        self._discovery = discovery
        self._openapi = openapi
        self._swagger = swagger
        self._metrics = metrics
        live = {"ping": _well, **live}
        self._checks = {"healthz": live, "livez": live, "readyz": {**live, **ready}}
        self._version = _indented(about())
        self._added: dict[str, Answer] = {}

    def check(self, name: str, check: Check) -> None:
        """One more check of health and readiness."""
        for checks in self._checks.values():
            checks[name] = check

    def add(self, path: str, page: Answer) -> None:
        """Serve one more."""
        self._added[path] = page

    def serve(self, call: Call) -> Result | Awaitable[Result]:
        """The page at the call's path. Raises StatusError."""
        path = call.path
        if call.method not in ("GET", "HEAD") and (path in self._paths() or path.startswith("/openapi/v3/")):
            raise status.plain_method_not_allowed()
        found = self._discovery.serve(call) or self._openapi.serve(call) or self._swagger.serve(call)
        if found is not None:
            return found
        if (added := self._added.get(path)) is not None:
            return added
        if path == "/version":
            return Answer(self._version)
        if path == "/metrics":
            return self._exposition()
        if path == "/":
            return Answer(_indented({"paths": self._paths()}))
        root, slash, name = path[1:].partition("/")
        if (checks := self._checks.get(root)) is not None:
            return _single(checks.get(name)) if slash else _report(root, checks, call)
        if path.startswith("/api/"):
            raise status.no_such_path()
        return _plain(_NO_PAGE, 404)

    def _paths(self) -> list[str]:
        fixed = ["/metrics", "/openapi/v2", "/openapi/v3", "/version"]
        checks = [f"/{root}/{name}" for root, checks in self._checks.items() for name in checks]
        roots = [f"/{root}" for root in self._checks]
        return sorted([*self._discovery.paths, *self._added, *fixed, *roots, *checks])

    async def _exposition(self) -> Result:
        return Answer(await self._metrics.exposition(), 200, CONTENT_TYPE)


def _indented(document: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(document), indent=2)


def _single(check: Check | None) -> Answer:
    """One check by its name."""
    if check is None:
        return _plain(_NO_PAGE, 404)
    why = check()
    return _plain(f"internal server error: {why}\n".encode(), 500) if why else _plain(b"ok")


def _report(root: str, checks: Mapping[str, Check], call: Call) -> Answer:
    """ "ok", or one line for each check if one fails or the client wants to see them."""
    excluded = call.values("exclude")
    found = {title: check() if title not in excluded else _EXCLUDED for title, check in checks.items()}
    failed = any(why not in ("", _EXCLUDED) for why in found.values())
    if not failed and (not call.query or "verbose" not in call.query):
        return _plain(b"ok")
    if call.user is not None and UNAUTHENTICATED in call.user.groups:  # may see that something is wrong, not what
        found = {title: why if why in ("", _EXCLUDED) else "reason withheld" for title, why in found.items()}
    lines = [_line(title, why) for title, why in found.items()]
    if unknown := sorted(set(excluded) - checks.keys()):
        names = ",".join(f'"{name}"' for name in unknown)
        lines.append(f"warn: some health checks cannot be excluded: no matches for {names}")
    lines.append(f"{root} check {'failed' if failed else 'passed'}\n")
    return _plain("\n".join(lines).encode(), 500 if failed else 200)


def _plain(text: bytes, code: int = 200) -> Answer:
    return Answer(text, code, _TEXT, (("X-Content-Type-Options", "nosniff"),))


def _line(title: str, why: str) -> str:
    if why == _EXCLUDED:
        return f"[+]{title} excluded: ok"
    return f"[-]{title} failed: {why}" if why else f"[+]{title} ok"


def _well() -> str:
    return ""
