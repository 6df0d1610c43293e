"""Why a volume cannot be made as things are; pods wait for it."""

_WAITED = "timed out waiting for the condition"


class VolumeProblem(Exception):
    """One volume; the text is what users are told."""

    def __init__(self, volume: str, reason: str, step: str = "MountVolume.SetUp failed") -> None:
        super().__init__(f'{step} for volume "{volume}" {reason and f": {reason}"}')
        self.volume = volume


class TooManyAttached(VolumeProblem):
    """Whoever attaches volumes says that this node can have no more of this sort. `verdict` is what the pod is told at last."""

    def __init__(self, volume: str, name: str) -> None:
        super().__init__(volume, "", "Volume not attached according to node status")
        lists = f"unmounted volumes=[{name}], unattached volumes=[{name}], failed to process volumes=[]"
        self.verdict = f"Node has reached its volume attachment limit, rejecting pod. {lists}: {_WAITED}"


class ClaimProblem(VolumeProblem):
    """It is not known which volumes are behind claims."""

    def __init__(self, problems: dict[str, str]) -> None:
        names, reasons = " ".join(problems), "; ".join(problems.values())
        text = f"Unable to attach or mount volumes: unmounted volumes=[{names}], unattached volumes=[], "
        Exception.__init__(self, f"{text}failed to process volumes=[{names}]: {reasons}")
        self.volume = next(iter(problems))
