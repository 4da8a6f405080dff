"""How long one image takes from its submission to its committed row."""
