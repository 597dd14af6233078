"""Post signed calls to receivers of somebody else's, and never to what only this machine can reach."""
