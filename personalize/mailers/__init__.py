"""PIN letters: written in memory, sent to a printer, each once; registry.handover.mailers has their rows."""
