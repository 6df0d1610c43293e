"""exec, attach and port-forward on the agent: the runtime is asked where its streaming server takes the connection, and that is joined to
the caller's, byte for byte: SPDY or WebSocket, as these two agree. `/run` runs a command to its end and gives what it wrote.

    /exec/NAMESPACE/POD[/UID]/CONTAINER?command=..&input=1&output=1&error=1&tty=1
    /attach/NAMESPACE/POD[/UID]/CONTAINER?input=1&..
    /portForward/NAMESPACE/POD[/UID]            (?port=80,81 for WebSocket)
    /run/NAMESPACE/POD[/UID]/CONTAINER?cmd=..
"""

import ssl
from collections.abc import Awaitable, Callable
from urllib.parse import unquote, urlsplit

from kit import log
from kit.clock import Clock
from kit.http.client import ClientError, HttpClient
from kit.http.model import Request, Response
from kit.http.relay import NotUpgraded, pass_on, passed_headers, wants_upgrade, wants_websocket
from nodeagent.cri.errors import NotFound, RuntimeFault
from nodeagent.cri.port import Runtime, Streams
from nodeagent.model.spec import container_named
from nodeagent.sync.pods import Pods
from nodeagent.sync.worker import PodWorker

TEXT = "text/plain; charset=utf-8"
RUN_SECONDS = 120.0
_log = log.get("server")


class Refusal(Exception):
    """A request that cannot be met, and the status that says so."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class StreamApi:
    """The part of the agent's handler that needs connections."""

    def __init__(self, pods: Pods, runtime: Runtime, clock: Clock) -> None:
        self._pods = pods
        self._runtime = runtime
        self._clock = clock
        self._doors: dict[str, Callable[[Request, PodWorker, str], Awaitable[Response | None]]] = {
            "exec": self._exec,
            "attach": self._attach,
            "portForward": self._port_forward,
            "run": self._run,
        }

    def __call__(self, request: Request) -> Awaitable[Response | None] | None:
        """Answer a request to one of our paths; None for other paths."""
        parts = [unquote(part) for part in request.target.partition("?")[0].split("/")[1:]]
        door = self._doors.get(parts[0])
        containers = 0 if parts[0] == "portForward" else 1
        if door is None or len(parts) not in (3 + containers, 4 + containers):
            return None
        uid = parts[3] if len(parts) == 4 + containers else ""
        return self._answer(door, request, (parts[1], parts[2], uid), parts[-1])

    async def _answer(
        self,
        door: Callable[[Request, PodWorker, str], Awaitable[Response | None]],
        request: Request,
        pod: tuple[str, str, str],
        container: str,
    ) -> Response | None:
        allowed = ("POST",) if door == self._run else ("GET", "POST")
        if request.method not in allowed:
            return Response(405, b"405: Method Not Allowed", TEXT, (("Allow", ", ".join(allowed)),))
        try:
            return await door(request, self._worker(*pod), container)
        except Refusal as refusal:
            return Response(refusal.status, str(refusal).encode(), TEXT)
        except NotFound as error:
            return Response(404, str(error).encode(), TEXT)
        except (RuntimeFault, ClientError, NotUpgraded) as error:
            _log.warning("cannot stream", path=request.path, error=error)
            return Response(500, str(error).encode(), TEXT)

    async def _exec(self, request: Request, worker: PodWorker, container: str) -> Response | None:
        streams = read_streams(request)
        ident = _running(worker, container, f'container not found ("{container}")')
        return await self._join(request, await self._runtime.exec(ident, request.query.get("command", []), streams))

    async def _attach(self, request: Request, worker: PodWorker, container: str) -> Response | None:
        streams = read_streams(request)
        meta = worker.state.pod.metadata
        ident = _running(worker, container, f"container {container} not found in pod {meta.name}_{meta.namespace}")
        declared = container_named(worker.state.pod, container)
        # Whether there is a terminal was settled when the container started.
        tty = bool(declared is not None and declared.tty)
        wanted = Streams(streams.stdin, streams.stdout, streams.stderr and not tty, tty)
        return await self._join(request, await self._runtime.attach(ident, wanted))

    async def _port_forward(self, request: Request, worker: PodWorker, container: str) -> Response | None:
        ports = read_ports(request)
        sandbox = worker.seen().sandbox
        if sandbox is None or not sandbox.ready:
            meta = worker.state.pod.metadata
            raise Refusal(500, f'pod not found ("{meta.name}_{meta.namespace}")')
        return await self._join(request, await self._runtime.port_forward(sandbox.id, ports))

    async def _run(self, request: Request, worker: PodWorker, container: str) -> Response | None:
        ident = _running(worker, container, f'container not found ("{container}")')
        done = await self._runtime.exec_sync(ident, request.param("cmd").split(" "), RUN_SECONDS)
        output = done.stdout + done.stderr
        if done.code:
            return Response(500, b"command terminated with exit code %d\n%b" % (done.code, output), TEXT)
        return Response(200, output)

    async def _join(self, request: Request, url: str) -> Response | None:
        """One connection from the caller to the runtime's streaming server."""
        if not wants_upgrade(request):
            raise Refusal(400, "Upgrade request required")
        place = urlsplit(url)
        tls = ssl.create_default_context() if place.scheme == "https" else None
        port = place.port or (443 if tls else 80)
        client = HttpClient(_reachable(place.hostname or ""), port, tls, clock=self._clock)
        target = place.path + (f"?{place.query}" if place.query else "")
        try:
            return await pass_on(request, client, target, passed_headers(request), self._clock)
        finally:
            await client.close()

    def _worker(self, namespace: str, name: str, uid: str) -> PodWorker:
        worker = self._pods.named(namespace, name)
        if worker is None:
            raise Refusal(404, "pod does not exist")
        if uid and worker.state.pod.metadata.uid != uid:
            raise Refusal(404, "pod not found")
        return worker


def read_streams(request: Request) -> Streams:
    """Which streams the query asks for. Raises Refusal."""
    stdin, stdout, stderr, tty = (request.param(name) == "1" for name in ("input", "output", "error", "tty"))
    if not (stdin or stdout or stderr):
        raise Refusal(400, "you must specify at least 1 of stdin, stdout, stderr")
    return Streams(stdin, stdout, stderr and not tty, tty)  # a terminal has one stream of output


def read_ports(request: Request) -> list[int]:
    """The ports in the query, which WebSocket needs there; SPDY names them on its streams. Raises Refusal."""
    if not wants_websocket(request):
        return []
    texts = [text for value in request.query.get("port", []) for text in value.split(",")]
    if not texts:
        raise Refusal(400, 'query parameter "port" is required')
    ports = []
    for text in texts:
        if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) < 1 << 16):
            raise Refusal(400, f'unable to parse "{text}" as a port')
        if int(text) < 1:
            raise Refusal(400, f'port "{text}" must be > 0')
        ports.append(int(text))
    return ports


def _running(worker: PodWorker, name: str, otherwise: str) -> str:
    """The container that runs by that name. Raises Refusal."""
    found = worker.seen().current(name)
    if found is None or not found.running:
        raise Refusal(500, otherwise)
    return found.id


def _reachable(host: str) -> str:
    """A server that listens everywhere is also here."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)
