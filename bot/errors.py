"""What can go wrong while answering.

LorebotError                 every message is a sentence that may be shown to a person
├── BotSettingsError         lorebot.toml or the environment is wrong
├── ModelError               the language model is missing, damaged or out of room
│   ├── PromptTooLong        the prompt does not fit the model's context
│   └── Cancelled            somebody stopped the generation
├── RecordsError             the records cannot be opened, migrated or written
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


class PromptTooLong(ModelError):
    """The prompt and the answer's room exceed the model's context."""


class Cancelled(ModelError):
    """The generation was stopped by its caller."""


class RecordsError(LorebotError):
    """The records cannot be opened, migrated or written."""


class SlackError(LorebotError):
    """Slack refuses the tokens or cannot be reached."""
