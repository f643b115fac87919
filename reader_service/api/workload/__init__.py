"""Resources of the work that waits: the queue of batches, and blank chips."""
