"""Outgoing webhooks: a tenant's endpoints are sent the events of its log, signed and in order."""
