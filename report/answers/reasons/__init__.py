"""Reasons behind the answers: costs of layers, GPUs and copies."""
