"""A simulated shop, and an oracle that knows what its shoppers should have received."""
