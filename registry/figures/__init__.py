"""Figures of a year, counted by the database."""
