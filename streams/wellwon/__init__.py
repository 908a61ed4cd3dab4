"""wellwon tells when a deal is being pushed instead of won."""

__version__ = "0.1.0"
