"""`membercard gp`: GlobalPlatform card management."""
