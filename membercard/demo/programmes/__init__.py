"""A scripted year of each programme. To add one: a function of ``DemoYear`` in a module, and its row in ``scripts``."""
