"""Everything that speaks with one card. Synchronous; no SQL, no HTTP, no environment reads."""
