"""The e-card of a member: a code on a telephone that changes every 30 seconds, verified without a network."""
