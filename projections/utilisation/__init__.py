"""How much of each resource's local days was held, confirmed, cancelled, and how long before."""
