"""Pages of the programme's office: merchants, their settlement, and findings of booking."""
