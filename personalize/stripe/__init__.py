"""The magnetic stripe: the data of tracks 1, 2 and 3 as values, and their characters and bits."""
