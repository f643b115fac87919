"""Virtual readers and what goes into them: slots, feeders, stock, faults, timing, vpcd."""
