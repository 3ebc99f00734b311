"""What INT8 costs layer by layer: each convolution alone in integers, all else in FP32."""
