"""Engines for ONNX Runtime: float16 by conversion, INT8 by Q/DQ nodes from our ranges."""
