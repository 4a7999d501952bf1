"""Training: recipes, the loop, checkpoints. Torch and Lightning Fabric (extra ``train``)."""
