"""The store shared by all replicas: one index as two collections on a Weaviate server."""
