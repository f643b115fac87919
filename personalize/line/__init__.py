"""The personalization line: plan, execution and read-back of each chip, in lanes, and the batch report."""
