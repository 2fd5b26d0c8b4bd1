"""Keeps the asynchronous projections up with the log, tenant by tenant and exactly once."""

from infra.projecting.lag import Lag, read_lags
from infra.projecting.runner import ProjectionRunner

__all__ = ["Lag", "ProjectionRunner", "read_lags"]
