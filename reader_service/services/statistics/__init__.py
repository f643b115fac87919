"""Use-cases of the figures: issue against plan, as values and as sheets."""
