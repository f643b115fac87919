"""What the union pays and gives beside the benefits."""
