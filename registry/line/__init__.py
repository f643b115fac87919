"""The personalization line: claims, journal, outcomes and cards."""
