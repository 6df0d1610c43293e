"""Variables from a file in a volume: lines of NAME='value'. A value may go over several lines; nothing in it is special."""


class EnvFileProblem(ValueError):
    """The file is not written as it should be."""


def read_variable(text: str, wanted: str) -> str:
    """The value of one variable; empty if the file has none of that name."""
    lines = iter(text.split("\n"))
    number = 0
    for line in lines:
        number += 1
        line = line.rstrip("\r").lstrip(" \t")
        if not line or line.startswith("#"):
            continue
        name, value = _split(line, number)
        if value[:1] in (" ", "\t"):
            if name == wanted:
                return ""
            continue
        if not value.startswith("'"):
            raise _problem(number, "value must be enclosed in single quotes")
        begun, rest, parts = number, value[1:], []
        while "'" not in rest:
            parts.append(rest)
            following = next(lines, None)
            if following is None:
                raise EnvFileProblem(
                    f"invalid environment variable format starting at line {begun}: unclosed single quote"
                )
            number, rest = number + 1, following.rstrip("\r")
        last, _, after = rest.partition("'")
        after = after.lstrip(" \t")
        if after and not after.startswith("#"):
            raise _problem(number, "unexpected content after closing quote")
        if name == wanted:
            return "\n".join([*parts, last])
    return ""


def _split(line: str, number: int) -> tuple[str, str]:
    name, equals, value = line.partition("=")
    if not equals:
        raise _problem(number, "missing '='")
    if not name.rstrip(" \t"):
        raise _problem(number, "empty variable name")
    if name != name.rstrip(" \t"):
        raise _problem(number, "whitespace before '=' is not allowed")
    return name, value


def _problem(number: int, what: str) -> EnvFileProblem:
    return EnvFileProblem(f"invalid environment variable format at line {number}: {what}")
