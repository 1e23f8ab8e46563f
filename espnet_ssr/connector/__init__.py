"""Connectors: frame features (and segments) in, vectors of the LLM's width out. One file each."""

from espnet_ssr.connector.abs import AbsConnector, ConnectorOutput
from espnet_ssr.connector.acif import ACIFConnector
from espnet_ssr.connector.cif import CIFConnector
from espnet_ssr.connector.ctc_compress import CTCCompressConnector
from espnet_ssr.connector.ctc_hull import CTCHullConnector
from espnet_ssr.connector.mean import MeanConnector
from espnet_ssr.connector.pool import PoolConnector
from espnet_ssr.connector.qformer import QFormerConnector
from espnet_ssr.connector.ssr import SSRConnector
from espnet_ssr.connector.stack import StackConnector

__all__ = ["CONNECTORS", "AbsConnector", "ConnectorOutput", "MeanConnector", "SSRConnector"]

CONNECTORS: dict[str, type[AbsConnector]] = {
    "ssr": SSRConnector,
    "mean": MeanConnector,
    "cif": CIFConnector,
    "acif": ACIFConnector,
    "stack": StackConnector,
    "pool": PoolConnector,
    "qformer": QFormerConnector,
    "ctc_compress": CTCCompressConnector,
    "ctc_hull": CTCHullConnector,
}
"""Name used in configs -> class."""
