"""The operating system of the virtual card: commands, memory, content, files."""
