"""E-cards of members: one-time codes, telephones that were signed in, and their end."""
