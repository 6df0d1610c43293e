"""An API server in memory, for tests: revisions, conflicts, watches, deletion with grace, and faults on demand.

It passes the suite that the real server passes (tests/contract/client). It has no controllers, no admission and no namespaces that must
exist first.
"""

from client.fake.faults import Faults
from client.fake.transport import FakeTransport

__all__ = ["FakeTransport", "Faults"]
