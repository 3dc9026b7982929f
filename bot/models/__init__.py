"""Which language models there are: the registry, its versions, and where their files come from."""
