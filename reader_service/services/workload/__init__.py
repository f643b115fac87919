"""Use-cases of the work that waits: the queue of batches, blank chips, and what each role has to do."""
