"""Session tokens, against issuers that the tests run themselves."""
