"""Sections of the programme file beside its benefits, each a model of its own."""
