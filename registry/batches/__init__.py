"""Batches from the roster to their dossiers and accounts."""
