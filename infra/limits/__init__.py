"""How many requests a tenant, and one of its keys, may send: token buckets."""

from infra.limits.allowance import KEY, TENANT, Allowance, Bucket, Limits, Taken
from infra.limits.limiter import Limiter
from infra.limits.of_tenants import LimitsOfTenants

__all__ = [
    "KEY",
    "TENANT",
    "Allowance",
    "Bucket",
    "Limiter",
    "Limits",
    "LimitsOfTenants",
    "Taken",
]
