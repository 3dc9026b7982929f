"""A question → passages that its audience may read: LlamaIndex retriever and postprocessors."""
