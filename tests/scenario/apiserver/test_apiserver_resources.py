"""What is served, held against what upstream 1.36 serves (resources.tsv): every resource and subresource, its kind, scope, names, verbs."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from controlplane.apiserver.call import Call

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
FACTS = Path(__file__).with_name("resources.tsv")
LETTERS = {
    "create": "C",
    "get": "G",
    "list": "L",
    "watch": "W",
    "update": "U",
    "patch": "P",
    "delete": "D",
    "deletecollection": "X",
}
# What upstream serves and we do not, yet.
MISSING: set[tuple[str, str]] = set()
# What we serve and upstream leaves to others, as a metrics-server, or to those who ask for it.
OWN = {
    ("metrics.k8s.io/v1beta1", "nodes"),
    ("metrics.k8s.io/v1beta1", "pods"),
    ("certificates.k8s.io/v1beta1", "clustertrustbundles"),
}


class Row(NamedTuple):
    """One line of the table."""

    kind: str
    namespaced: bool
    short_names: frozenset[str]
    categories: frozenset[str]
    verbs: str


def facts() -> dict[tuple[str, str], Row]:
    with FACTS.open() as file:
        return {
            (row["group_version"], row["resource"]): Row(
                row["kind"],
                row["namespaced"] == "Y",
                frozenset(row["short_names"].split(",")) - {""},
                frozenset(row["categories"].split(",")) - {""},
                "".join(sorted(row["verbs"])),
            )
            for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        }


def letters(verbs: list[str]) -> str:
    return "".join(sorted(LETTERS[verb] for verb in verbs))


def row(entry: dict, kind: str) -> Row:
    return Row(
        kind,
        entry["namespaced"],
        frozenset(entry.get("shortNames", ())),
        frozenset(entry.get("categories", ())),
        letters(entry["verbs"]),
    )


@pytest.fixture
def document(cluster):
    def get(path: str, accept: str = ""):
        answer = cluster.server.pages.serve(Call("GET", path, accept=accept))
        return msgspec.json.decode(answer.body)

    return get


def compare(found: dict[tuple[str, str], Row]) -> None:
    wanted = facts()
    assert len(wanted) == 113
    assert found.keys() - wanted.keys() == OWN
    assert wanted.keys() - found.keys() == MISSING
    wrong = {key: (found[key], wanted[key]) for key in wanted.keys() & found.keys() if found[key] != wanted[key]}
    assert not wrong


def test_the_documents_of_groups(document):
    found = {}
    roots = ["/api/v1"]
    roots += [f"/apis/{v['groupVersion']}" for group in document("/apis")["groups"] for v in group["versions"]]
    for root in roots:
        listed = document(root)
        for entry in listed["resources"]:
            foreign = f"{entry['group']}/{entry['version']}/" if "group" in entry else ""
            found[listed["groupVersion"], entry["name"]] = row(entry, foreign + entry["kind"])
    compare(found)


def test_the_aggregated_document(document):
    found = {}
    for path in ("/api", "/apis"):
        for group in document(path, AGGREGATED)["items"]:
            name = group["metadata"].get("name", "")
            for version in group["versions"]:
                here = f"{name}/{version['version']}" if name else version["version"]
                for entry in version["resources"]:
                    entry["namespaced"] = entry["scope"] == "Namespaced"
                    found[here, entry["resource"]] = row(entry, entry["responseKind"]["kind"])
                    for sub in entry.get("subresources", ()):
                        kind = sub["responseKind"]
                        of = f"{kind['group']}/{kind['version']}" if kind.get("group") else kind["version"]
                        shown = kind["kind"] if of == here else f"{of}/{kind['kind']}"
                        plain = {"namespaced": entry["namespaced"], "verbs": sub["verbs"]}
                        found[here, f"{entry['resource']}/{sub['subresource']}"] = row(plain, shown)
    compare(found)


def test_preferred_versions(document):
    groups = {group["name"]: group for group in document("/apis")["groups"]}
    assert groups["autoscaling"]["preferredVersion"]["version"] == "v2"
    assert [version["version"] for version in groups["autoscaling"]["versions"]] == ["v2", "v1"]
    assert all(group["preferredVersion"] == group["versions"][0] for group in groups.values())
