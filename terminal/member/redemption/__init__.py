"""A redemption at a counter: its request, its outcome with the evidence, its recovery after a tear, and their words."""
