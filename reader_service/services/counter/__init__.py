"""Use-cases of a counter: verdicts, readings, and the lists that it carries."""
