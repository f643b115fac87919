"""What the benchmark of the service starts: services, chips and listeners in processes of their own."""
