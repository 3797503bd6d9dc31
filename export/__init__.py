"""Export: a checkpoint in, a bundle out. One ONNX file a graph, measured against PyTorch before it is kept."""
