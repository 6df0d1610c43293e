"""Ranges of Service addresses: ready from the start, and there as long as somebody has an address of theirs."""
