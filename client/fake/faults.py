"""Trouble on demand: calls that fail, answers that get lost, watches that break, a server that is away."""

from __future__ import annotations

from dataclasses import dataclass

from client import errors
from client.fake.history import History, Watcher


@dataclass(slots=True)
class _Planned:
    verb: str
    plural: str
    countdown: int
    times: int
    error: errors.ApiError
    after: bool


class Faults:
    """Plans trouble for the calls to come."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._planned: list[_Planned] = []
        self._away = False

    def fail(
        self, error: errors.ApiError | None = None, *, verb: str = "", plural: str = "", nth: int = 1, times: int = 1
    ) -> None:
        """Refuse the nth matching call from now (and, with `times`, those after it). Verbs: get list watch create update patch delete."""
        error = error or errors.unavailable("cannot reach the API server: connection refused")
        self._planned.append(_Planned(verb, plural, nth, times, error, after=False))

    def lose_answer(self, *, verb: str = "", plural: str = "", nth: int = 1) -> None:
        """Do the nth matching call, but break the connection before its answer."""
        error = errors.unavailable("cannot get an answer from the API server: the connection was closed")
        self._planned.append(_Planned(verb, plural, nth, 1, error, after=True))

    def drop_watches(self) -> None:
        """Break every open watch."""
        for watcher in self._take_watchers():
            watcher.end(errors.unavailable("cannot read from the API server: connection reset"))

    def end_watches(self) -> None:
        """End every open watch properly, as servers do now and then."""
        for watcher in self._take_watchers():
            watcher.end()

    def go_away(self) -> None:
        """Answer nothing until `come_back`."""
        self._away = True
        self.drop_watches()

    def come_back(self) -> None:
        """Answer again."""
        self._away = False

    def before(self, verb: str, plural: str) -> None:
        """Called before each call is done."""
        if self._away:
            raise errors.unavailable("cannot reach the API server: connection refused")
        self._strike(verb, plural, after=False)

    def after(self, verb: str, plural: str) -> None:
        """Called after each call is done, before it is answered."""
        self._strike(verb, plural, after=True)

    def _strike(self, verb: str, plural: str, after: bool) -> None:
        for planned in list(self._planned):
            if planned.after is after and planned.verb in ("", verb) and planned.plural in ("", plural):
                planned.countdown -= 1
                if planned.countdown <= 0:
                    planned.times -= 1
                    if planned.times <= 0:
                        self._planned.remove(planned)
                    raise planned.error

    def _take_watchers(self) -> list[Watcher]:
        taken, self._history.watchers = self._history.watchers, []
        return taken
