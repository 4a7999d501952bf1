"""Networks (torch) and the catalogue of weights (no torch)."""
