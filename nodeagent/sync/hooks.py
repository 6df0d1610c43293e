"""Lifecycle hooks: what runs right after a container's start and right before its end."""

from dataclasses import replace

from api.core_v1 import HTTPGetAction, LifecycleHandler, Pod
from kit.clock import deadline
from nodeagent.cri.errors import RuntimeFault
from nodeagent.model.spec import long_name
from nodeagent.probes.checks import bracketed, page_for
from nodeagent.probes.http import FetchProblem, fetch
from nodeagent.probes.outcome import Outcome, Target
from nodeagent.sync.doors import WARNING, Doors

ALWAYS = 3600.0  # hooks have no limit of their own; what bounds them is the grace period
USER_AGENT = "kube-lifecycle/1.36"
NOT_TLS = "server gave HTTP response to HTTPS client"


async def run_hook(
    doors: Doors, pod: Pod, handler: LifecycleHandler, target: Target, limit: float = ALWAYS
) -> Outcome | None:
    """Run a hook to its end; its failure is told at length. None: it was not done after `limit` seconds."""
    try:
        async with deadline(doors.clock, limit):
            kind, wish, problem = await _run(doors, pod, handler, target)
    except TimeoutError:
        if handler.sleep is not None:
            doors.tally.sleeps_cut.add()
        return None
    if not problem:
        return Outcome(True)
    name = target.container.name
    return Outcome(False, f'{kind} lifecycle hook ({wish}) for Container "{name}" in Pod "{long_name(pod)}" {problem}')


async def _run(doors: Doors, pod: Pod, handler: LifecycleHandler, target: Target) -> tuple[str, str, str]:
    """What sort it is, what it was to do, and what went wrong."""
    if handler.exec is not None:
        return "Exec", f"[{' '.join(handler.exec.command)}]", await _exec(doors, handler.exec.command, target)
    if handler.http_get is not None:
        return "HTTP", handler.http_get.path or "", await _get(doors, pod, handler.http_get, target)
    if handler.sleep is not None:
        await doors.clock.sleep(float(handler.sleep.seconds))
        return "Sleep", str(handler.sleep.seconds), ""
    return "Unknown", "", "failed - error: invalid handler"


async def _exec(doors: Doors, command: list[str], target: Target) -> str:
    try:
        done = await doors.runtime.exec_sync(target.id, command, ALWAYS)
    except RuntimeFault as error:
        return f'failed - error: {error.reason}, message: ""'
    if done.code == 0:
        return ""
    stderr = done.stderr.decode(errors="replace")
    output = (done.stdout + done.stderr).decode(errors="replace")
    from api.warnings.text import quoted  # hooks seldom fail

    return f"failed - error: command '{' '.join(command)}' exited with {done.code}: {stderr}, message: {quoted(output)}"


async def _get(doors: Doors, pod: Pod, action: HTTPGetAction, target: Target) -> str:
    """Any answer is a good one; a server that does not speak TLS is asked again without."""
    page = page_for(target, action, USER_AGENT)
    if isinstance(page, str):
        return f"failed - error: {page}"
    try:
        try:
            await fetch(page)
        except FetchProblem as error:
            if NOT_TLS not in str(error):
                raise
            headers = tuple((name, value) for name, value in page.headers if name != "Authorization")
            await fetch(replace(page, scheme="http", headers=headers))
            where = f"{bracketed(page.host)}:{page.port}"
            message = f"request to HTTPS lifecycle hook {where} got HTTP response, retry with HTTP succeeded"
            doors.events.tell(pod, WARNING, "LifecycleHTTPFallback", message)
            doors.tally.plain_hooks.add()
    except FetchProblem as error:
        return f'failed - error: Get "{page.url}": {error}'
    return ""
