"""The OpenAPI document: how a route declares itself, and what is added to all of them."""
