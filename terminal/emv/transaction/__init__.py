"""One transaction: configuration, amounts, state, outcome, and the interfaces to cardholder and issuer."""
