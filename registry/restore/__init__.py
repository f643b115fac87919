"""A database that was restored from an older backup: how it is noticed, and what is done before work goes on."""
