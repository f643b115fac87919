"""From a roster to a proven chip: intake, prepare, plan, execute, read back, batch."""
