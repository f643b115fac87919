"""The readers of this machine: one worker thread each, their names and leases."""
