"""The parts of the composition root, one noun each: each takes what it needs, and none of them knows the whole."""
