"""One transaction: its configuration, amounts, state, outcome, and the people around it."""
