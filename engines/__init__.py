"""ONNX graphs to engine files: what all backends share, a wing for each library, and what INT8 costs layer by layer."""
