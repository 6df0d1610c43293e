"""Rules for portions: a number of things, or a percentage of them."""

from api import names
from api.validation.problems import Problems

Portion = int | str


def portion(found: Problems, path: str, value: Portion) -> None:
    """A number that is not negative, or a percentage."""
    if isinstance(value, str):
        found.invalid_all(path, value, names.percent(value))
    else:
        found.not_negative(path, value)


def given(value: Portion | None) -> Portion:
    """What stands there; an empty text is a bad portion, and not the same as none."""
    return 0 if value is None else value


def is_nothing(value: Portion) -> bool:
    """Whether it is none of the things."""
    return value == 0 or (isinstance(value, str) and not names.percent(value) and int(value[:-1]) == 0)


def at_most_all(found: Problems, path: str, value: Portion) -> None:
    """Not more than all of the things."""
    if isinstance(value, str) and not names.percent(value) and int(value[:-1]) > 100:
        found.invalid(path, value, "must not be greater than 100%")
