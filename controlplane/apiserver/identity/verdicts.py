"""What is known of a bearer token after it has been looked at."""

from __future__ import annotations

from typing import NamedTuple

from controlplane.apiserver.call import User

INVALID = "invalid bearer token"


class Verdict(NamedTuple):
    """Whose token it is and for which of the wanted audiences, or why it is nobody's. Its bearer may be warned of it."""

    user: User | None = None
    audiences: tuple[str, ...] = ()
    error: str = ""
    warning: str = ""
