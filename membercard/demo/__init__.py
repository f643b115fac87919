"""The demo: made-up people, their cards, and the story that `make demo` and `serve --demo` show."""
