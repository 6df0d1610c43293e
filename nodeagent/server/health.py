"""/healthz of the agent and its parts: `ok`, or what is not; with `verbose` all of them, line by line, without those that are excluded."""

from collections.abc import Callable, Mapping

from kit.http.model import Request, Response

TEXT = "text/plain; charset=utf-8"
PATH = "/healthz"


def health(request: Request, checks: Mapping[str, Callable[[], str]]) -> Response:
    """Answer a request at or below the path; a check says what is wrong, or nothing."""
    name = request.path.removeprefix(PATH).strip("/")
    if name:
        check = checks.get(name)
        if check is None:
            return Response(404, b"404 page not found\n", TEXT)
        problem = check()
        return (
            Response(500, f"internal server error: {problem}\n".encode(), TEXT)
            if problem
            else Response(200, b"ok", TEXT)
        )
    excluded = set(request.query.get("exclude", []))
    found = {one: check() for one, check in checks.items() if one not in excluded}
    failed = any(found.values())
    lines = [f"[-]{one} failed: {problem}" if problem else f"[+]{one} ok" for one, problem in found.items()]
    lines += [f"[+]{one} excluded: ok" for one in checks if one in excluded]
    if unknown := sorted(excluded - checks.keys()):
        lines.append(f"warn: some health checks cannot be excluded: no matches for {', '.join(unknown)}")
    if failed:
        return Response(500, "\n".join([*lines, "healthz check failed", ""]).encode(), TEXT)
    if "verbose" not in request.query:
        return Response(200, b"ok", TEXT)
    return Response(200, "\n".join([*lines, "healthz check passed", ""]).encode(), TEXT)
