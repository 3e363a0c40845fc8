"""Memory from the sizes of each layer, as measured or by closed forms."""
