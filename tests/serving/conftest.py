"""The models that serving is tried on."""

from tests.services.random_model import random_model

__all__ = ["random_model"]
