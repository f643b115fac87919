"""What is read from the editions of the programme that are on record."""
