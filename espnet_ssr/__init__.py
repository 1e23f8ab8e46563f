"""Alignment-aware connectors between speech encoders and large language models.

Data flows one way through the sub-packages: ``align`` (times for a transcript) ->
``data`` (LLM tokens and their segments) -> ``encoder`` (frame features) -> ``connector``
(one vector a token) -> ``model`` / ``task`` / ``train`` (ESPnet) -> ``evaluate``.
``align`` and ``connector`` import neither ESPnet nor transformers.
"""

__version__ = "0.1.0"
