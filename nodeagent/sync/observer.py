"""Looks at what the runtime holds for one pod, and reads the last words of containers."""

import os
from dataclasses import replace

from api.core_v1 import Pod
from nodeagent.cri.errors import NotFound
from nodeagent.cri.port import Runtime
from nodeagent.model.seen import SeenContainer, SeenPod
from nodeagent.model.spec import container_named
from nodeagent.render.container import termination_file
from nodeagent.render.sandbox import log_file
from nodeagent.render.settings import NodeSettings
from nodeagent.server.series import tail_text

MAX_MESSAGE = 4096
MAX_LOG, MAX_LOG_LINES = 2048, 80


async def observe(runtime: Runtime, uid: str, known: SeenPod) -> SeenPod:
    """Everything of one pod. What was known to have ended is not asked for again."""
    sandboxes = [owned.thing for owned in await runtime.sandboxes(uid)]
    ended = {c.id: c for c in known.containers if c.exited and c.finished_at}
    containers: list[SeenContainer] = []
    for owned in await runtime.containers(uid):
        listed = owned.thing
        if listed.id in ended:
            containers.append(ended[listed.id])
            continue
        try:
            found = await runtime.container(listed.id)
        except NotFound:
            continue  # removed since it was listed
        containers.append(replace(found, sandbox_id=listed.sandbox_id))
    seen = SeenPod.of(sandboxes, containers)
    for sandbox in seen.sandboxes:
        if sandbox.ready:
            try:
                seen = seen.with_sandbox(await runtime.sandbox(sandbox.id))
            except NotFound:
                seen = seen.without(sandbox.id)
    return seen


def last_words(pod: Pod, container: SeenContainer, node: NodeSettings) -> str:
    """What a container that ended left as its termination message, by its policy."""
    spec = container_named(pod, container.name)
    if spec is None or not spec.termination_message_path:
        return ""
    text = _read(termination_file(pod, container.name, container.attempt, node))
    if text or spec.termination_message_policy != "FallbackToLogsOnError" or container.exit_code == 0:
        return text
    return tail_text(log_file(pod, container, node), MAX_LOG_LINES, MAX_LOG)


def _read(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(MAX_MESSAGE).decode(errors="replace")
    except OSError:
        return ""


def make_termination_file(path: str) -> None:
    """An empty file that any user in the container may write to."""
    os.makedirs(os.path.dirname(path), mode=0o750, exist_ok=True)
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o666)
    try:
        os.fchmod(descriptor, 0o666)
    finally:
        os.close(descriptor)
