"""Hypothesis without a clock: on a busy machine, a slow example says nothing about the domain."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "domain", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=100
)
settings.load_profile("domain")
