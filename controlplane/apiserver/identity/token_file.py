"""Tokens from a file that the administrator writes: TOKEN,USER,UID and, in quotes, GROUPS, one line each."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable
from pathlib import Path

from controlplane.apiserver.call import User
from controlplane.apiserver.identity.users import authenticated
from controlplane.apiserver.identity.verdicts import Verdict


class TokenFileError(Exception):
    """The file cannot be used."""


class FileTokens:
    """Judges tokens of the file. They are kept and looked up as hashes, so that the time it takes tells nothing of them."""

    def __init__(self, users: dict[str, User], audiences: tuple[str, ...] = ()) -> None:
        self._users = {_digest(token): user for token, user in users.items()}
        self._audiences = audiences

    def review(self, token: str, audiences: tuple[str, ...] = ()) -> Verdict | None:
        """Whose it is; None if it is not in the file."""
        user = self._users.get(_digest(token))
        if user is None:
            return None
        both = tuple(audience for audience in self._audiences if audience in (audiences or self._audiences))
        return Verdict(user, both) if both else None


def load(path: str | Path) -> dict[str, User]:
    """Read the file. Raises TokenFileError."""
    try:
        with Path(path).open(newline="", encoding="utf-8") as file:
            return read(file, str(path))
    except OSError as error:
        raise TokenFileError(f"cannot read {path}: {error.strerror}") from error


def read(lines: Iterable[str], name: str) -> dict[str, User]:
    """The users by their tokens; a line without a token says nothing, and of two for one token the last counts."""
    users = {}
    try:
        for record in csv.reader(lines, skipinitialspace=False, strict=True):
            if not record:
                continue
            if len(record) < 3:
                raise TokenFileError(
                    f"cannot use {name}: it must have at least 3 columns (token, user name, user uid), found {len(record)}"
                )
            groups = tuple(record[3].split(",")) if len(record) > 3 else ()
            if record[0]:
                users[record[0]] = authenticated(User(record[1], groups, record[2]))
    except (csv.Error, UnicodeDecodeError) as error:
        raise TokenFileError(f"cannot use {name}: {error}") from error
    return users


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
