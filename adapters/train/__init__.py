"""Stages ``train`` and ``prefer``: examples → a LoRA adapter."""
