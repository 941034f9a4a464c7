"""Charts as SVG geometry: facts in, positions out. Pure; templates draw them."""
