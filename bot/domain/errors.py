"""What can go wrong while answering.

LorebotError                 every message is a sentence that may be shown to a person
├── BotSettingsError         lorebot.toml or the environment is wrong
├── ModelError               the language model is missing, damaged or out of room
│   ├── ModelCrashes         computing with the model would end the process
│   ├── PromptTooLong        the prompt does not fit the model's context
│   ├── ModelBusy            too many requests wait already
│   ├── ModelUnreachable     the remote server does not answer, or answers nonsense
│   └── Cancelled            the request was stopped
│       └── DeadlineExceeded its time was over
├── RegistryError            no such model version, a damaged file, nothing to roll back to
├── RecordsError             the records cannot be opened, migrated or written
├── BackupError              an archive is damaged, or cannot be made or restored now
├── ReindexRefused           there is no such source, channel or page, or not yet
├── ReindexRunning           another reindex is not finished yet
├── NotAllowed               an admin's act, asked for by a person who is no admin
├── SlackError               Slack refuses the tokens or cannot be reached
└── WorkspaceError           the local workspace cannot start (bot/workspace/errors.py)

Everything else that is raised is a bug: people see one fixed sentence and a reference number.
"""


class LorebotError(Exception):
    """Base of the tree; ``str(error)`` says what happened and what to do."""


class BotSettingsError(LorebotError):
    """A setting is missing, unknown or out of range."""


class ModelError(LorebotError):
    """The language model cannot be loaded or cannot answer."""


class ModelCrashes(ModelError):
    """llama.cpp dies of the model on this machine, however it is loaded."""


class PromptTooLong(ModelError):
    """The prompt and the answer's room exceed the model's context."""


class ModelBusy(ModelError):
    """Too many requests wait for the model already."""


class ModelUnreachable(ModelError):
    """A remote model does not answer, or not what its protocol says."""


class Cancelled(ModelError):
    """The request was stopped by its caller."""


class DeadlineExceeded(Cancelled):
    """The request was not finished in its time."""


class RegistryError(LorebotError):
    """A version of a model is unknown, damaged, or cannot be fetched."""


class QuestionForgotten(LorebotError):
    """A question is not kept any more: the person who asked it was forgotten meanwhile."""


class RecordsError(LorebotError):
    """The records cannot be opened, migrated or written."""


class BackupError(LorebotError):
    """A backup cannot be made, is damaged, or cannot be restored now."""


class SlackError(LorebotError):
    """Slack refuses the tokens or cannot be reached."""


class ReindexRefused(LorebotError):
    """There is no such source, channel or page to read again, or not yet."""


class ReindexRunning(LorebotError):
    """Another reindex is not finished yet."""


class NotAllowed(LorebotError):
    """Only admins may do this."""
