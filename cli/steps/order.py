"""The order of the steps. `up` goes from top to bottom, `reset` from bottom to top."""

from cli.machine import Step
from cli.steps import (
    address,
    certificates,
    configuration,
    control,
    images,
    kernel,
    node,
    packages,
    preflight,
    ready,
    runtime,
    settings,
)

STEPS: tuple[Step, ...] = (
    preflight.STEP,
    packages.STEP,
    kernel.STEP,
    settings.STEP,
    address.STEP,
    certificates.STEP,
    configuration.STEP,
    images.BUILD,
    runtime.START,
    control.START,
    runtime.READY,
    images.LOAD,
    control.READY,
    node.START,
    ready.STEP,
)
