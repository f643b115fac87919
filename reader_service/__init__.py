"""The readers of a machine over HTTP, events and web pages. HTTP is known here only."""
