"""Camera images: decoding every encoding a camera publishes, JPEG/PNG, overlays."""
