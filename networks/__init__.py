"""The trackers as torch modules, key-compatible with published checkpoints."""
