"""All kinds of bearer tokens, in the order in which they are tried."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from controlplane.apiserver.identity.verdicts import INVALID, Verdict


class Judge(Protocol):
    """Knows one kind of token; None says that it is none of these."""

    def review(self, token: str, audiences: tuple[str, ...] = ()) -> Verdict | None: ...


class BearerTokens:
    """`core.Tokens` of a whole server."""

    def __init__(self, judges: Sequence[Judge], audiences: Sequence[str]) -> None:
        self._judges = tuple(judges)
        self.audiences = tuple(audiences)

    def review(self, token: str, audiences: tuple[str, ...] = ()) -> Verdict:
        """Whose it is, for one of the audiences; without any, for the API server."""
        errors = []
        for judge in self._judges:
            verdict = judge.review(token, audiences)
            if verdict is not None and verdict.user is not None:
                return verdict
            if verdict is not None and verdict.error:
                errors.append(verdict.error)
        if len(errors) > 1:
            return Verdict(error=f"[{', '.join(errors)}]")
        return Verdict(error=errors[0] if errors else INVALID)
