"""Benchmarks that print measured numbers beside a peer or a physical limit. Must not be imported by the product."""
