"""From a roster to a verified chip: intake, data preparation, plan, execution, read-back, batch."""
