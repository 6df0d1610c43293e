"""Decisions about pods, as pure functions from wanted, seen and remembered to actions. Must not do I/O or read a clock."""
