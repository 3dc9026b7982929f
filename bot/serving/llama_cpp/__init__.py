"""A GGUF model in this process: many answers at once on one llama.cpp context."""
