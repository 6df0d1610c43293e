"""Lists of indexes as Jobs write them: `1,3-5,7`."""


class IndexesError(ValueError):
    """Text that is no list of indexes."""


def count_indexes(text: str, below: int) -> int:
    """How many indexes are in the list, all of them below a number. Raises IndexesError."""
    total, previous = 0, -1
    for part in text.split(",") if text else []:
        start, end = _interval(part, below)
        if start <= previous:
            raise IndexesError(f"non-increasing order, previous: {previous}, current: {start}")
        total, previous = total + end - start + 1, end
    return total


def first_common(one: str, other: str, below: int) -> int | None:
    """The first index that both lists have; parts that cannot be read have none."""
    ours, theirs = sorted(_readable(one, below)), sorted(_readable(other, below))
    here = there = 0
    while here < len(ours) and there < len(theirs):  # of a large Job each has tens of thousands
        (start, end), (first, last) = ours[here], theirs[there]
        if end < first:
            here += 1
        elif last < start:
            there += 1
        else:
            return max(start, first)
    return None


def _readable(text: str, below: int) -> list[tuple[int, int]]:
    found = []
    for part in text.split(",") if text else []:
        try:
            found.append(_interval(part, below))
        except IndexesError:
            continue
    return found


def _interval(part: str, below: int) -> tuple[int, int]:
    if part.count("-") > 1:
        detail = "violates the requirement that an index interval can have at most two parts separated by '-'"
        raise IndexesError(f'the fragment "{part}" {detail}')
    first, dash, last = part.partition("-")
    start = _number(first, below)
    if not dash:
        return start, start
    end = _number(last, below)
    if end <= start:
        raise IndexesError(f"non-increasing order, previous: {start}, current: {end}")
    return start, end


def _number(text: str, below: int) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise IndexesError(f'cannot convert string to integer for index: "{text}"')
    if int(text) >= below:
        raise IndexesError(f'too large index: "{text}"')
    return int(text)
