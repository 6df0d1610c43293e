"""Time zones of CronJobs, as this machine knows them."""

import pytest

from api import kinds
from controlplane.apiserver import zones
from tests import samples


@pytest.mark.parametrize("zone", ["", "UTC", "Local", "local"])
def test_known(zone: str) -> None:
    assert zones.unknown(samples.changed(kinds.CRON_JOB, {"spec.timeZone": zone})) == []


@pytest.mark.parametrize("zone", ["Nowhere", "Etc/Nothing", "../UTC", "/UTC", "UTC/", "a" * 300])
def test_unknown(zone: str) -> None:
    (cause,) = zones.unknown(samples.changed(kinds.CRON_JOB, {"spec.timeZone": zone}))
    assert cause == (
        "spec.timeZone",
        "FieldValueInvalid",
        f'Invalid value: "{zone}": unknown time zone {zone}',
    )
