"""Values that are possible and not plausible: other units, and cells that are a power of ten off."""
