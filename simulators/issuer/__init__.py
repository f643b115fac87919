"""A test bank: authorization and issuer scripts (``host``), accounts, keys from a file, HTTP. For tests only."""
