"""The canonical form as pyld makes it: the reference against which the walker is tested.

pyld alone must not be trusted with hostile documents (it drops what it does not understand and
can be made to run for hours), so nothing in the product calls this module: tests and benchmarks
do, on documents that the gate has passed.

It differs from the specification in one point: control characters are left raw where canonical
N-Quads escape them (RDFC-1.0 appendix A).
"""

from __future__ import annotations

from typing import Any

from pyld import jsonld
from pyld.canon import URDNA2015
from pyld.context_resolver import ContextResolver

from credentials.contexts import ContextStore


def loader(contexts: ContextStore) -> Any:
    """A pyld document loader that serves the store and nothing else."""

    def load(url: str, _options: dict[str, Any]) -> dict[str, Any]:
        return {
            "contentType": "application/ld+json",
            "contextUrl": None,
            "documentUrl": url,
            "document": contexts.document(url),
        }

    return load


def pyld_options(contexts: ContextStore) -> dict[str, Any]:
    """Options for one store. pyld's own cache is keyed by URL and shared by the whole process, so
    a second store would be served the first one's contexts; this one belongs to the caller."""
    load = loader(contexts)
    return {
        "format": "application/n-quads",
        "base": "",
        "documentLoader": load,
        "contextResolver": ContextResolver({}, load),
        "processingMode": "json-ld-1.1",
        # A base direction would be dropped in silence without this; with it, it is signed.
        "rdfDirection": "i18n-datatype",
    }


def canonicalize_with_pyld(document: dict[str, Any], contexts: ContextStore) -> str:
    """The canonical N-Quads of `document`, by pyld: URDNA2015, which is RDFC-1.0's other name."""
    options = pyld_options(contexts)
    form = options.pop("format")
    dataset = jsonld.to_rdf(document, options)
    # A dataset is a set; pyld repeats a statement that two JSON values make.
    for graph, triples in dataset.items():
        dataset[graph] = list({repr(triple): triple for triple in triples}.values())
    text: str = URDNA2015().main(dataset, {"format": form})
    return text
