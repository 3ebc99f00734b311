"""ONNX graphs to engine files: one module for each way a backend realises precision."""
