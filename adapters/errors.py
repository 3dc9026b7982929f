"""What can go wrong between votes and a promoted model.

AdaptersError                every message is a sentence that may be shown to a person
├── AdaptersSettingsError    lorebot.toml or the environment is wrong
├── MissingPackage           what only training needs is not installed
├── ManifestError            a run before this one is missing, unfinished, damaged or another
├── StageBusy                another process works in the same folder
├── DiskFull                 there is no room for what a stage writes
├── DatasetError             the votes, decisions or examples cannot be read
│   └── TooLittleData        there are too few examples to learn from
├── TrainingError            training cannot start or go on
│   ├── NotEnoughMemory      the model does not fit, or needs a GPU that is not there
│   └── Diverged             the loss is no number any more
├── BaseMismatch             adapter, base model or chat template do not belong together
├── ConversionError          the converter cannot be had, or refuses the model
├── QuantizationError        the shapes of the model cannot be quantized this way
├── VerificationFailed       a model file does not compute what its source computes
├── EvaluationError          candidate and serving model cannot be compared
└── PromotionRefused         the gate: no win, a regression, or nobody has signed
"""


class AdaptersError(Exception):
    """Base of the tree; ``str(error)`` says what happened and what to do."""


class AdaptersSettingsError(AdaptersError):
    """A setting is missing, unknown or out of range."""


class MissingPackage(AdaptersError):
    """A package of the ``train`` extra is not installed."""


class ManifestError(AdaptersError):
    """The manifest of a run is missing, unfinished, damaged or of another stage."""


class StageBusy(AdaptersError):
    """Another process runs a stage in the same folder."""


class DiskFull(AdaptersError):
    """The disk has no room left."""


class DatasetError(AdaptersError):
    """Votes, decisions or examples cannot be read."""


class TooLittleData(DatasetError):
    """There are too few examples to learn from or to measure with."""


class TrainingError(AdaptersError):
    """Training cannot start or go on."""


class NotEnoughMemory(TrainingError):
    """The model does not fit into this machine's memory, or needs a GPU."""


class Diverged(TrainingError):
    """The loss is not a number any more."""


class BaseMismatch(AdaptersError):
    """Adapter, base model or chat template do not belong together."""


class ConversionError(AdaptersError):
    """The converter cannot be fetched, fails its checksum, or refuses the model."""


class QuantizationError(AdaptersError):
    """The model's shapes cannot be quantized as asked."""


class VerificationFailed(AdaptersError):
    """A model file does not compute what the model it was made from computes."""


class EvaluationError(AdaptersError):
    """Candidate and serving model cannot be compared."""


class PromotionRefused(AdaptersError):
    """The gate stays closed: no win, a regression, or a missing signature."""
