"""Runs on a test host: what the client libraries do with connections to containers. Prints one JSON object.

Used as `python - LIBRARY NAMESPACE POD`, read from stdin; the pod answers on port 8080 and has a shell.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import urllib.request
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

warnings.filterwarnings("ignore", "Kubernetes version .* is not supported", UserWarning)


def official(namespace: str, pod: str) -> dict[str, Any]:
    from kubernetes import client, config, stream

    config.load_kube_config(os.environ["KUBECONFIG"])
    core = client.CoreV1Api()
    command = ["sh", "-c", "echo out; echo err >&2; exit 3"]
    connection = stream.stream(
        core.connect_get_namespaced_pod_exec,
        pod,
        namespace,
        command=command,
        stderr=True,
        stdin=False,
        stdout=True,
        tty=False,
        _preload_content=False,
    )
    connection.run_forever(timeout=60)
    found: dict[str, Any] = {
        "out": connection.read_stdout(),
        "err": connection.read_stderr(),
        "code": connection.returncode,
    }
    talk = stream.stream(
        core.connect_get_namespaced_pod_exec,
        pod,
        namespace,
        command=["cat"],
        stderr=True,
        stdin=True,
        stdout=True,
        tty=False,
        _preload_content=False,
    )
    talk.write_stdin("hello\n")
    found["echo"] = talk.readline_stdout(timeout=60)
    talk.close()
    forward = stream.portforward(core.connect_get_namespaced_pod_portforward, pod, namespace, ports="8080")
    socket = forward.socket(8080)
    socket.setblocking(True)
    socket.sendall(b"GET / HTTP/1.0\r\n\r\n")
    answer = b""
    while piece := socket.recv(4096):
        answer += piece
    found["page"] = answer.splitlines()[-1].decode()
    found["log"] = core.read_namespaced_pod_log(f"{pod}-log", namespace, tail_lines=1)
    return found


def lightkube(namespace: str, pod: str) -> dict[str, Any]:
    """Each call in a process of its own: it leaves a thread that still reads from the descriptor of the connection that it has closed,
    and so takes from the next one, which gets that number, what was meant for it."""
    found: dict[str, Any] = {}
    for call in (_lightkube_ends, _lightkube_echo, _lightkube_log):
        with ProcessPoolExecutor(1, get_context("fork")) as processes:
            found |= processes.submit(call, namespace, pod).result()
    return found


def _lightkube_ends(namespace: str, pod: str) -> dict[str, Any]:
    from lightkube import Client

    command = ["sh", "-c", "echo out; echo err >&2; exit 3"]
    done = Client(namespace=namespace).exec(pod, command=command, stdout=True, stderr=True)
    return {"out": done.stdout, "err": done.stderr, "code": done.exit_code}


def _lightkube_echo(namespace: str, pod: str) -> dict[str, Any]:
    from lightkube import Client

    return {"echo": Client(namespace=namespace).exec(pod, command=["cat"], stdin="hello\n", stdout=True).stdout}


def _lightkube_log(namespace: str, pod: str) -> dict[str, Any]:
    from lightkube import Client

    (log,) = Client(namespace=namespace).log(f"{pod}-log", tail_lines=1)
    return {"log": log}


def kr8s(namespace: str, pod: str) -> dict[str, Any]:
    from kr8s.objects import Pod

    found = Pod.get(pod, namespace=namespace)
    done = found.exec(["sh", "-c", "echo out; echo err >&2; exit 3"], check=False)
    echo = found.exec(["cat", "/etc/hostname"])
    with found.portforward(8080) as port, urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as answer:
        page = answer.read().decode()
    (log,) = Pod.get(f"{pod}-log", namespace=namespace).logs(tail_lines=1)
    return {
        "out": done.stdout.decode(),
        "err": done.stderr.decode(),
        "code": done.returncode,
        "hostname": echo.stdout.decode(),
        "page": page,
        "log": log,
    }


async def kr8s_async(namespace: str, pod: str) -> dict[str, Any]:
    from kr8s.asyncio.objects import Pod

    found = await Pod.get(pod, namespace=namespace)
    done = await found.exec(["sh", "-c", "echo out; echo err >&2; exit 3"], check=False)
    log = [line async for line in (await Pod.get(f"{pod}-log", namespace=namespace)).logs(tail_lines=1)]
    return {"out": done.stdout.decode(), "err": done.stderr.decode(), "code": done.returncode, "log": log[0]}


async def official_aio(namespace: str, pod: str) -> dict[str, Any]:
    from kubernetes import aio

    await aio.config.load_kube_config(os.environ["KUBECONFIG"])
    async with aio.stream.WsApiClient() as api:
        core = aio.client.CoreV1Api(api)
        out = await core.connect_get_namespaced_pod_exec(
            pod, namespace, command=["sh", "-c", "echo out"], stderr=True, stdin=False, stdout=True, tty=False
        )
    return {"out": out}


LIBRARIES = {
    "official": official,
    "official_aio": lambda *words: asyncio.run(official_aio(*words)),
    "lightkube": lightkube,
    "kr8s": kr8s,
    "kr8s_async": lambda *words: asyncio.run(kr8s_async(*words)),
}

if __name__ == "__main__":
    print(json.dumps(LIBRARIES[sys.argv[1]](*sys.argv[2:])))
