"""Members, hotlist editions and counter verdicts."""
