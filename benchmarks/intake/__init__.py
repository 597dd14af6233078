"""How many events the door takes durably, and how many questions it answers, beside the limits of the same machine."""
