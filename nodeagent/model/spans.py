"""Lengths of time as people read them in messages."""


def span(seconds: float) -> str:
    """`1.5s`, `2m40s`, `5m0s`, `250ms`: the largest units first, none left out below them."""
    if seconds < 1:
        millis = round(seconds * 1000, 3)
        return f"{millis:g}ms" if millis else "0s"
    whole, rest = divmod(round(seconds, 9), 60)
    hours, minutes = divmod(int(whole), 60)
    words = f"{rest:.9f}".rstrip("0").rstrip(".") + "s"
    if hours:
        return f"{hours}h{minutes}m{words}"
    return f"{minutes}m{words}" if minutes else words
