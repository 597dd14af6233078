"""Parts of a picture of a diagram; `waggle.services.diagram_picture` puts them together."""
