"""Pairs of crops to weights: sources, augmentation, targets, losses, the trainer and its report."""
