"""Card profiles: what every card of one issue has in common, as checked YAML."""
