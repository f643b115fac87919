"""Machines that move, print and stripe cards: one protocol, a driver for each kind of machine."""
