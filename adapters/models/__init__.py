"""Model files: the full-precision base, GGUF files, tokenizers, and prompts as tokens."""
