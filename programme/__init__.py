"""What a union's members get for their card: the programme file, its rules, its editions."""
