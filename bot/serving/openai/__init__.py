"""A language model on an OpenAI-compatible server (llama-server, vLLM)."""
