"""A test bank: accounts, authorization, issuer scripts, HTTP."""
