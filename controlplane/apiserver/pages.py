"""What is no resource: discovery, OpenAPI, the version, health and metrics."""

from __future__ import annotations

import platform
from collections.abc import Awaitable, Callable, Mapping

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


def _version() -> bytes:
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    major, minor = VERSION.removeprefix("v").split(".")[:2]
    return msgspec.json.encode(
        {
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
    )


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
        self._live = dict(live)
        self._ready = {**live, **ready}
        self._version = _version()
        self._added: dict[str, Answer] = {}

    def check(self, name: str, check: Check) -> None:
        """One more check of health and readiness."""
        self._live[name] = self._ready[name] = check

    def add(self, path: str, page: Answer) -> None:
        """Serve one more."""
        self._added[path] = page

    def serve(self, call: Call) -> Result | Awaitable[Result]:
        """The page at the call's path. Raises StatusError."""
        if call.method not in ("GET", "HEAD"):
            raise status.plain_method_not_allowed()
        path = call.path
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
            return Answer(msgspec.json.encode({"paths": self._paths()}))
        root, _, name = path[1:].partition("/")
        if root in ("healthz", "livez"):
            return _report(root, self._live, name, call)
        if root == "readyz":
            return _report(root, self._ready, name, call)
        return Answer(_NO_PAGE, 404, _TEXT)

    def _paths(self) -> list[str]:
        fixed = ["/healthz", "/livez", "/metrics", "/openapi/v2", "/openapi/v3", "/readyz", "/version"]
        return sorted([*self._discovery.paths, *self._added, *fixed])

    async def _exposition(self) -> Result:
        return Answer(await self._metrics.exposition(), 200, CONTENT_TYPE)


def _report(root: str, checks: Mapping[str, Check], name: str, call: Call) -> Answer:
    """ "ok", or one line for each check if one fails or the client wants to see them."""
    checks = {"ping": _well, **checks}
    if name:
        if name not in checks:
            return Answer(_NO_PAGE, 404, _TEXT)
        checks = {name: checks[name]}
    excluded = call.query.get("exclude", "") if call.query else ""
    found = {title: check() if title != excluded else _EXCLUDED for title, check in checks.items()}
    failed = any(why not in ("", _EXCLUDED) for why in found.values())
    if not failed and (not call.query or "verbose" not in call.query):
        return Answer(b"ok", 200, _TEXT)
    if call.user is not None and UNAUTHENTICATED in call.user.groups:  # may see that something is wrong, not what
        found = {title: why if why in ("", _EXCLUDED) else "reason withheld" for title, why in found.items()}
    lines = [_line(title, why) for title, why in found.items()]
    if excluded and excluded not in checks:
        lines.append(f'warn: some health checks cannot be excluded: no matches for "{excluded}"')
    lines.append(f"{root} check {'failed' if failed else 'passed'}\n")
    return Answer("\n".join(lines).encode(), 500 if failed else 200, _TEXT)


def _line(title: str, why: str) -> str:
    if why == _EXCLUDED:
        return f"[+]{title} excluded: ok"
    return f"[-]{title} failed: {why}" if why else f"[+]{title} ok"


def _well() -> str:
    return ""
