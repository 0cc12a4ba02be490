"""Where the arithmetic of a model runs: torch, ONNX Runtime or TensorRT, behind one protocol."""
