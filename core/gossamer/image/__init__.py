"""Pictures as numpy float32, H x W x C, top row first. No torch."""
