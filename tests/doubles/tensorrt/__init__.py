"""Doubles of CUDA's runtime and of TensorRT's Python API. They prove calls; nothing here is a measurement."""
