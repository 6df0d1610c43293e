"""Whole test hosts made of namespaces on one machine. Must not be imported by the product."""
