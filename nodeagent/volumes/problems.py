"""Why a volume cannot be made as things are; pods wait for it."""


class VolumeProblem(Exception):
    """One volume; the text is what users are told."""

    def __init__(self, volume: str, reason: str, step: str = "MountVolume.SetUp failed") -> None:
        super().__init__(f'{step} for volume "{volume}" {f": {reason}" if reason else reason}')
        self.volume = volume


class ClaimProblem(VolumeProblem):
    """It is not known which volumes are behind claims."""

    def __init__(self, problems: dict[str, str]) -> None:
        names, reasons = " ".join(problems), "; ".join(problems.values())
        text = f"Unable to attach or mount volumes: unmounted volumes=[{names}], unattached volumes=[], "
        Exception.__init__(self, f"{text}failed to process volumes=[{names}]: {reasons}")
        self.volume = next(iter(problems))
