"""The one error of the command line: one line that says what is wrong and what to do."""


class CliError(Exception):
    """Reads "cannot X: reason. Do Y."; printed as one line, exit status 1."""

    def __init__(self, what: str, reason: object, remedy: str) -> None:
        text = " ".join(str(reason).split()).removeprefix(f"cannot {what}: ").rstrip(".")
        super().__init__(f"cannot {what}: {text}. {remedy}")
