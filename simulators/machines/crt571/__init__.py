"""A simulated CRT-571 card issuing machine, written from the facts of its protocol apart from the driver."""
