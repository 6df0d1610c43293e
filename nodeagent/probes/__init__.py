"""Liveness, readiness and startup probes. Must not restart anything: a plan does."""
