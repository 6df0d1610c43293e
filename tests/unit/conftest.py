"""Examples that are made up are the same ones in every run, and each may take as long as a busy machine needs for it."""

from hypothesis import HealthCheck, settings

settings.register_profile("steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")
