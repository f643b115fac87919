"""One module for each schema revision, in the order of their numbers."""
