"""Where changes come from: a mapper for each source, pure, and one `Normaliser` behind all of them."""
