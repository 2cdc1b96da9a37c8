"""SMPL as functions of tensors, and the files that hold a body."""
