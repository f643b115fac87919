"""Virtual readers: ``sim:`` readers in this process, slots of the vpcd driver; stock, feeder, faults, timing."""
