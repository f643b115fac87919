"""The member application as a terminal sees it: data elements, reading, trust, hotlist and the counter's verdict."""
