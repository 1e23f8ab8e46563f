"""Connectors: frame features (and segments) in, vectors of the LLM's width out. One file each."""

from espnet_ssr.connector.abs import AbsConnector, ConnectorOutput
from espnet_ssr.connector.mean import MeanConnector
from espnet_ssr.connector.ssr import SSRConnector

__all__ = ["CONNECTORS", "AbsConnector", "ConnectorOutput", "MeanConnector", "SSRConnector"]

CONNECTORS: dict[str, type[AbsConnector]] = {"ssr": SSRConnector, "mean": MeanConnector}
"""Name used in configs -> class."""
