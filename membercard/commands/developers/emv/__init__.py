"""`membercard emv`: a payment terminal, and the traces that it explains."""
