"""The embedder: its GGUF file, llama.cpp that computes it, and LlamaIndex's interface to it."""
