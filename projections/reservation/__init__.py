"""What occupies the resources: the live claims, read as a calendar or as what they leave free."""
