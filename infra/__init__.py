"""What the engine stands on: PostgreSQL, the log and its commit queue, settings, telemetry."""
