"""The member application: its data preparation and its read-back."""
