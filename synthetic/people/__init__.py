"""Clothes, poses and motions of synthetic people."""
