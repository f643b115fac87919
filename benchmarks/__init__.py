"""The measured ratios that the README quotes: each module has ``run() -> list[Row]``."""
