"""Split documents into chunks: by Markdown structure first, by sentences last."""
