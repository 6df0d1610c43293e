"""The agent's API on 10250: which handler answers what. Who may call is decided in `callers.py`.

A second, plain port can be opened for those on the same machine: it shows pods and numbers, and neither logs nor ways into containers.
"""

import os
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import msgspec

from api import times
from kit.clock import Clock
from kit.http.model import Answer, Request, Response
from kit.metrics import CONTENT_TYPE
from nodeagent.config import Config
from nodeagent.cri.errors import RuntimeFault
from nodeagent.cri.port import Runtime
from nodeagent.model.spec import container_named
from nodeagent.render.settings import NodeSettings
from nodeagent.server.callers import TEXT, Gate
from nodeagent.server.meter import Meter, Reading
from nodeagent.server.pages import configuration, pod_list, running_pods
from nodeagent.server.survey import Survey, Surveyor
from nodeagent.sync.pods import Pods

if TYPE_CHECKING:
    from nodeagent.server.container_logs import LogApi
    from nodeagent.server.resource_metrics import Place
    from nodeagent.server.streams import StreamApi

_CHECKPOINT = re.compile(r"/checkpoint/(?P<namespace>[^/]+)/(?P<pod>[^/]+)/(?P<container>[^/]+)")
_DOORS = frozenset(("attach", "exec", "portForward", "run"))
_MISSING = Response(404, b"404 page not found\n", TEXT)
# What upstream can switch off, and is off here: there is no Go program to look into, and the log has one verbosity.
_OFF = {"/debug/pprof": b"profiling endpoint is disabled.\n", "/debug/flags/v": b"flags endpoint is disabled.\n"}
Page = Callable[[Request], Answer]


class Check(Protocol):
    """Whether the agent is well: empty, or what is wrong."""

    def __call__(self) -> str: ...


class Expositor(Protocol):
    """A page of numbers."""

    async def __call__(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Instruments:
    """What tells numbers: of the agent itself, and of its probes."""

    metrics: Expositor
    probes: Callable[[], bytes]


class AgentApi:
    """The handler of the server."""

    def __init__(
        self,
        config: Config,
        pods: Pods,
        runtime: Runtime,
        settings: NodeSettings,
        gate: Gate,
        instruments: Instruments,
        healthy: Check,
        surveyor: Surveyor,
        clock: Clock,
    ) -> None:
        self._config = config
        self._pods = pods
        self._runtime = runtime
        self._settings = settings
        self._gate = gate
        self._healthy = healthy
        self._instruments = instruments
        self._surveyor = surveyor
        self._clock = clock
        self._meter = Meter(runtime, clock)
        self._pages: dict[str, Page] = {
            "/pods": lambda _: Response(200, pod_list(self._pods.pods())),
            "/metrics": lambda _: self._metrics(),
            "/metrics/cadvisor": lambda _: self._cadvisor(),
            "/metrics/resource": lambda _: self._measured(self._resources),
            "/metrics/probes": lambda _: Response(200, self._instruments.probes(), CONTENT_TYPE),
            "/stats/summary": lambda request: self._surveyed(self._summary, request.param("only_cpu_and_memory")),
        }

    def __call__(self, request: Request) -> Answer:
        """Answer one request."""
        refused = self._gate.check(request)
        if refused is None:
            return self._answer(request)
        return refused if isinstance(refused, Response) else self._judged(request, refused)

    def public(self, request: Request) -> Answer:
        """Answer one request on the plain port."""
        if request.method not in ("GET", "HEAD"):
            return not_allowed("GET")
        return self._public(request) or _MISSING

    async def _judged(self, request: Request, judgement: Awaitable[Response | None]) -> Response | None:
        if (refused := await judgement) is not None:
            return refused
        answer = self._answer(request)
        return await answer if isinstance(answer, Awaitable) else answer

    def _answer(self, request: Request) -> Answer:
        path = request.path
        place = path[1:].partition("/")[0]
        if place in _DOORS and (streaming := self._streams(request)) is not None:
            return streaming
        if (found := _CHECKPOINT.fullmatch(path)) is not None:
            if request.method != "POST":
                return not_allowed("POST")
            return self._checkpoint(request, found["namespace"], found["pod"], found["container"])
        if (
            off := next((text for place, text in _OFF.items() if f"{path}/".startswith(f"{place}/")), None)
        ) is not None:
            return Response(405, off, TEXT)
        if request.method not in ("GET", "HEAD"):
            return not_allowed("GET")
        if (page := self._public(request)) is not None:
            return page
        if path in ("/runningpods", "/runningpods/"):
            return self._running_pods()
        if path == "/configz":
            return Response(200, configuration(self._config))
        if path in ("/statusz", "/flagz"):
            return self._about(request)
        if path == "/logs" or path.startswith("/logs/"):
            return self._system_log(request, path[5:])
        return (self._container_logs(request) if place == "containerLogs" else None) or _MISSING

    @cached_property
    def _streams(self) -> "StreamApi":
        from nodeagent.server.streams import StreamApi  # what many nodes are never asked for is loaded when they are

        return StreamApi(self._pods, self._runtime, self._clock)

    @cached_property
    def _container_logs(self) -> "LogApi":
        from nodeagent.server.container_logs import LogApi

        return LogApi(self._pods, self._runtime, self._settings, self._clock)

    def _about(self, request: Request) -> Response:
        from nodeagent.server.process import start_time  # for people who look for faults
        from nodeagent.server.zpages import flagz, statusz

        if request.path == "/flagz":
            return flagz(request, self._config)
        return statusz(request, start_time(), self._clock.now())

    def _public(self, request: Request) -> Answer:
        """The pages that show nothing private; None for all else."""
        path = request.path
        if path == "/healthz" or path.startswith("/healthz/"):
            from nodeagent.server.health import health

            return health(request, {"ping": _well, "log": _well, "syncloop": self._healthy})
        page = self._pages.get(path.rstrip("/"))
        return page(request) if page is not None else None

    async def _metrics(self) -> Response:
        return Response(200, await self._instruments.metrics(), CONTENT_TYPE)

    async def _measured(self, page: Callable[[Reading], Response]) -> Response:
        try:
            reading = await self._meter.read()
        except RuntimeFault as error:
            return Response(500, str(error).encode(), TEXT)
        return page(reading)

    async def _surveyed(self, page: Callable[[Reading, Survey | None], Response], quick: str = "") -> Response:
        try:
            reading = await self._meter.read()
            survey = None if quick == "true" else await self._surveyor.look()
        except RuntimeFault as error:
            return Response(500, str(error).encode(), TEXT)
        return page(reading, survey)

    def _summary(self, reading: Reading, survey: Survey | None) -> Response:
        from nodeagent.server.stats import summarize  # pages of numbers are loaded when somebody asks for them

        summary = summarize(self._settings.name, reading, survey, self._started())
        return Response(200, msgspec.json.format(msgspec.json.encode(summary), indent=1))

    async def _cadvisor(self) -> Response:
        from nodeagent.server.cadvisor import container_metrics

        try:
            reading, survey = await self._meter.read(), await self._surveyor.look()
        except RuntimeFault as error:
            return Response(500, str(error).encode(), TEXT)
        return Response(200, container_metrics(reading, survey, self._started()), CONTENT_TYPE)

    def _resources(self, reading: Reading) -> Response:
        from nodeagent.server.resource_metrics import CONTENT_TYPE, exposition

        return Response(200, exposition(reading, self._started()), CONTENT_TYPE)

    def _started(self) -> "dict[Place, float]":
        """When each running container was started."""
        found = {}
        for worker in self._pods.workers.values():
            meta = worker.state.pod.metadata
            for container in worker.seen().running() if not worker.state.memory.gone else ():
                found[meta.namespace or "", meta.name or "", container.name] = container.started_at
        return found

    async def _running_pods(self) -> Response:
        try:
            return Response(200, running_pods(await self._runtime.containers()))
        except RuntimeFault as error:
            return Response(500, str(error).encode(), TEXT)

    async def _system_log(self, request: Request, path: str) -> Response | None:
        from nodeagent.server.system_logs import send_system_log

        return await send_system_log(request, self._config.system_logs, path)

    async def _checkpoint(self, request: Request, namespace: str, name: str, container: str) -> Response:
        worker = self._pods.named(namespace, name)
        if worker is None:
            return Response(404, b"pod does not exist", TEXT)
        if container_named(worker.state.pod, container) is None:
            return Response(404, f"container {container} does not exist".encode(), TEXT)
        timeout = request.query.get("timeout", ["0"])[-1]
        if not (timeout.isascii() and timeout.isdigit() and len(timeout) < 19):
            return Response(404, b"cannot parse value of timeout parameter", TEXT)
        found = worker.seen().current(container)
        folder = f"{self._config.root_dir}/checkpoints"
        stamp = times.format_time(self._clock.now())
        file = f"{folder}/checkpoint-{name}_{namespace}-{container}-{stamp}.tar"
        problem = f"container {container} not found"
        if found is not None:
            try:
                os.makedirs(folder, mode=0o700, exist_ok=True)
                await self._runtime.checkpoint(found.id, file, int(timeout))
                return Response(200, msgspec.json.encode({"items": [file]}))
            except RuntimeFault as error:
                problem = error.reason
            except OSError as error:
                problem = str(error)
        return Response(500, f"checkpointing of {namespace}/{name}/{container} failed ({problem})".encode(), TEXT)


def not_allowed(method: str) -> Response:
    """The page is there, but not for that method."""
    return Response(405, b"405: Method Not Allowed", TEXT, (("Allow", method),))


def _well() -> str:
    """Who can be asked is well."""
    return ""
