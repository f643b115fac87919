"""A dossier is everything one card will be given: the value itself, a view in words, and differences."""
