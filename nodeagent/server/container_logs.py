"""/containerLogs/NAMESPACE/POD/CONTAINER: what a container wrote.

?follow=true, previous=true, timestamps=true, tailLines, limitBytes, sinceSeconds or sinceTime, stream=All|Stdout|Stderr
"""

import re

from api import times
from kit import log
from kit.clock import Clock
from kit.http.errors import ClientError
from kit.http.model import Answer, HttpError, Request, Response
from nodeagent.cri.errors import NotFound, RuntimeFault
from nodeagent.cri.port import Runtime
from nodeagent.model.seen import ContainerState, SeenContainer
from nodeagent.model.spec import container_named
from nodeagent.render.sandbox import log_file
from nodeagent.render.settings import NodeSettings
from nodeagent.server.callers import TEXT
from nodeagent.server.follow import NoLog, stream_log
from nodeagent.server.logs import LogOptions, comparable
from nodeagent.sync.pods import Pods
from nodeagent.sync.worker import PodWorker

SETTLE = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4)  # seconds to let the runtime write the last of a log
DRAIN = 0.1  # the same for a file that was rotated away
_PATH = re.compile(r"/containerLogs/(?P<namespace>[^/]+)/(?P<pod>[^/]+)/(?P<container>[^/]+)")
_log = log.get("server")


class BadOptions(ValueError):
    """A query that asks for logs in an impossible way."""


class LogApi:
    """The part of the agent's handler that sends logs."""

    def __init__(self, pods: Pods, runtime: Runtime, settings: NodeSettings, clock: Clock) -> None:
        self._pods = pods
        self._runtime = runtime
        self._settings = settings
        self._clock = clock

    def __call__(self, request: Request) -> Answer:
        """Answer a request to our path; None for other paths."""
        found = _PATH.fullmatch(request.path)
        return self._logs(request, found["namespace"], found["pod"], found["container"]) if found else None

    async def _logs(self, request: Request, namespace: str, name: str, container: str) -> Response | None:
        worker = self._pods.named(namespace, name)
        if worker is None:
            return Response(404, f'pod "{name}" does not exist\n'.encode(), TEXT)
        if container_named(worker.state.pod, container) is None:
            return Response(404, f'container "{container}" not found in pod "{name}"\n'.encode(), TEXT)
        try:
            options = read_options(request, self._clock.now())
            found = chosen_container(worker, container, options.previous)
        except (BadOptions, NoLog) as error:
            return Response(400, f"{error}\n".encode(), TEXT)
        path = log_file(worker.state.pod, found, self._settings)
        return await self._send(request, path, options, worker, found)

    async def _send(
        self, request: Request, path: str, options: LogOptions, worker: PodWorker, found: SeenContainer
    ) -> Response | None:
        pieces = stream_log(path, options, lambda: self._ended(worker, found.id), lambda: self._clock.sleep(DRAIN))
        try:
            first = await anext(pieces, b"")
        except (OSError, NoLog) as error:
            return Response(500, f"{error}\n".encode(), TEXT)
        stream = request.start_stream(200, [("Content-Type", TEXT)])
        try:
            stream.write(first)
            async for piece in pieces:
                stream.write(piece)
                await stream.drain()
            stream.close()
        except (HttpError, ClientError):
            pass  # the reader has gone
        except (OSError, NoLog) as error:
            _log.warning("cannot send a log", path=path, error=error)
            stream.abort()
        finally:
            await pieces.aclose()
        return None

    async def _ended(self, worker: PodWorker, ident: str) -> None:
        """Return when a container has ended and the runtime has written all of its log."""
        await worker.ended(ident).wait()
        for pause in SETTLE:
            await self._clock.sleep(pause)
            try:
                if (await self._runtime.container(ident)).state is not ContainerState.RUNNING:
                    return
            except NotFound:
                return
            except RuntimeFault:
                continue


def chosen_container(worker: PodWorker, name: str, previous: bool) -> SeenContainer:
    """The run of a container whose log is wanted: the newest, or the one before."""
    seen = worker.seen()
    runs = [c for c in seen.containers if c.name == name and c.state is not ContainerState.CREATED]
    pod = worker.state.pod.metadata.name
    if previous:
        # While it waits to be restarted, the newest run is the one before the next.
        waits = name in worker.state.memory.waiting
        runs = runs if waits and runs and runs[0].exited else runs[1:]
        if not runs:
            raise NoLog(f'previous terminated container "{name}" in pod "{pod}" not found')
    elif not runs:
        waiting = worker.state.memory.waiting.get(name)
        reason = f": {waiting.reason}" if waiting else ": ContainerCreating"
        raise NoLog(f'container "{name}" in pod "{pod}" is waiting to start{reason}')
    return runs[0]


def read_options(request: Request, now: float) -> LogOptions:
    """The query of a request for logs."""
    since = ""
    if text := request.param("sinceTime"):
        try:
            since = comparable(times.format_micro_time(times.parse_time(text)))
        except ValueError as error:
            raise BadOptions(f"sinceTime: {error}") from error
    elif (seconds := _number(request, "sinceSeconds", 1)) is not None:
        since = comparable(times.format_micro_time(max(0.0, now - seconds)))
    return LogOptions(
        follow=_flag(request, "follow"),
        previous=_flag(request, "previous"),
        timestamps=_flag(request, "timestamps"),
        tail=_number(request, "tailLines", 0),
        since=since,
        limit=_number(request, "limitBytes", 1),
        stream=_stream(request),
    )


def _flag(request: Request, name: str) -> bool:
    return request.param(name, "false").lower() in ("true", "1", "t")


def _stream(request: Request) -> str:
    wanted = request.param("stream", "All").lower()
    if wanted not in ("all", "stdout", "stderr"):
        raise BadOptions(f"stream: must be All, Stdout or Stderr, not {wanted}")
    return "" if wanted == "all" else wanted


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


def _number(request: Request, name: str, least: int) -> int | None:
    text = request.param(name)
    if not text:
        return None
    if not _is_number(text) or int(text) < least:
        raise BadOptions(f"{name}: must be a whole number of at least {least}, not {text!r}")
    return int(text)
