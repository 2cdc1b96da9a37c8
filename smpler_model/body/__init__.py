"""SMPL as functions of tensors, and readers of body model files."""
