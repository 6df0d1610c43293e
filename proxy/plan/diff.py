"""What changes from one state of a Service to the next."""

from collections.abc import Iterable

import msgspec

from proxy.plan.desired import Desired


class Change(msgspec.Struct, frozen=True, gc=False):
    """One Service port and family: added (no old), removed (no new) or changed."""

    old: Desired | None
    new: Desired | None

    @property
    def subject(self) -> Desired:
        """The new form, or the old one if it goes."""
        subject = self.new or self.old
        assert subject is not None
        return subject


def diff(old: Iterable[Desired], new: Iterable[Desired]) -> list[Change]:
    """The changes in order: what goes, then what comes or changes."""
    before = {one.key: one for one in old}
    after = {one.key: one for one in new}
    gone = [Change(one, None) for key, one in before.items() if key not in after]
    return gone + [Change(before.get(key), one) for key, one in after.items() if before.get(key) != one]
