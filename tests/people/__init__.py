"""People, as issuers of tokens tell of them."""
