"""Documents → chunks: Markdown structure first, sentences last."""
