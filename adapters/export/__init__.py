"""An adapter → a checked GGUF file: merge, convert, quantize, lora, verify."""
