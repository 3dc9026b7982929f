"""The exceptions of the indexer.

IndexerError                 every message is a sentence that may be shown to a person
├── IndexSettingsError       lorebot.toml or the environment is wrong
├── AudienceError            a document or a reader has an empty or unknown audience: refused
├── SourceError              a source as a whole cannot be read: nothing is deleted
├── DocumentError            one document cannot be read: its old version stays
├── EmbedderError            the embedding model is missing, damaged or of another kind
├── RerankerError            the reranking model is missing, damaged or of another kind
├── ComponentError           a retriever or postprocessor that the settings name fails
├── SyncCancelled            a sync was stopped on request: the next one continues it
├── EvaluationError          the folder of an evaluation is incomplete or malformed
└── StoreError               the index cannot be opened, read or written
    └── StoreOutdated        the index was built by another embedder, chunker or version
"""


class IndexerError(Exception):
    """Base of the tree; ``str(error)`` says what happened and what to do."""


class IndexSettingsError(IndexerError):
    """A setting is missing, unknown or out of range."""


class AudienceError(IndexerError):
    """An audience is empty or names a principal of an unknown kind."""


class SourceError(IndexerError):
    """A whole source is missing, empty or unreachable."""


class DocumentError(IndexerError):
    """One document cannot be read or parsed."""


class EmbedderError(IndexerError):
    """The embedding model cannot be found, verified or loaded."""


class RerankerError(IndexerError):
    """The reranking model cannot be found or loaded."""


class ComponentError(IndexerError):
    """A retriever or postprocessor that the settings name fails, or does what it must not."""


class StoreError(IndexerError):
    """The index cannot be opened, read or written."""


class StoreOutdated(StoreError):
    """The index holds vectors or chunks of another identity: it has to be rebuilt."""


class SyncCancelled(IndexerError):
    """A sync was stopped on request; every document has its old or its new version."""


class EvaluationError(IndexerError):
    """A collection of judged questions is incomplete or malformed."""
