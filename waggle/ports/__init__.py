"""What the product asks of the world, one Protocol per ability."""
