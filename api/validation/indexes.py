"""Lists of indexes as Jobs write them: `1,3-5,7`."""


class IndexesError(ValueError):
    """Text that is no list of indexes."""


def count_indexes(text: str, below: int) -> int:
    """How many indexes are in the list, all of them below a number. Raises IndexesError."""
    total, previous = 0, -1
    for part in text.split(",") if text else []:
        first, dash, last = part.partition("-")
        start = _number(first)
        end = _number(last) if dash else start
        if end >= below:
            raise IndexesError(f"too large index: {end!r}")
        if start <= previous:
            raise IndexesError(f"non-increasing order, previous: {previous}, current: {start}")
        if dash and end <= start:
            raise IndexesError(f"non-increasing order, previous: {start}, current: {end}")
        total, previous = total + end - start + 1, end
    return total


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise IndexesError(f"cannot convert string to integer for index: {text!r}")
    return int(text)
