"""What can be booked: the resources of a tenant as they stand."""
