"""The ways to put a plan into the kernel. Must not decide what the plan can decide once."""
