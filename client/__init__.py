"""The only door to the API server: requests, watches, informers, a fake. Must not hold policy or touch the kernel."""

from client.client import Client, WatchEvent
from client.informer import Informer
from client.transport import Listing, Transport

__all__ = ["Client", "Informer", "Listing", "Transport", "WatchEvent"]
