"""Merges the two public sources into one normalized JSON file per service.

    merge.py SPEC WHEEL OUT

SPEC is what export.mjs printed, WHEEL the cfn-lint wheel, OUT the folder to fill. The first source is the base: types,
required, attributes, documentation, replacement. The second adds what it alone knows: enums, patterns, ranges, rules
over several properties, and relations. Called by `cargo xtask schema`. Needs nothing but Python's library.
"""

import json
import re
import sys
import zipfile
from pathlib import Path

import corrections

DATA = "cfnlint/data"
REGION = "us_east_1"


def first_sentence(text):
    """The first sentence as plain text; markdown keeps only its backticks."""
    if not text:
        return None
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text.strip().split("\n\n")[0])
    text = re.sub(r"<[^>]*>", "", text).replace("``", "`").replace("*", "")
    text = re.sub(r"\s+", " ", text.lstrip("> ")).strip()
    text = re.sub(r"https?://\S+", "", text)
    match = re.match(r"(.*?[.!?])(?:\s+[A-Z`>-]|$)", text)
    sentence = (match.group(1) if match else text).strip()
    sentence = sentence.replace(" .", ".").replace(" ,", ",")
    if len(sentence) > 240:
        sentence = sentence[:239].rsplit(" ", 1)[0] + "…"
    return sentence or None


def load_lint(wheel):
    """Schemas of cfn-lint by resource type, and its list of stateful types."""
    archive = zipfile.ZipFile(wheel)
    scope = {}
    exec(archive.read(f"{DATA}/schemas/providers/{REGION}.py").decode(), scope)  # noqa: S102: a literal dict
    schemas = {
        name: json.loads(archive.read(f"{DATA}/schemas/resources/{digest}.json"))
        for name, digest in scope["types"].items()
    }
    stateful = json.loads(archive.read(f"{DATA}/AdditionalSpecs/StatefulResources.json"))
    return schemas, set(stateful["ResourceTypes"])


class Lint:
    """One resource schema of cfn-lint, seen by property."""

    def __init__(self, schema):
        self.schema = schema

    def resolve(self, node):
        """Follows `$ref`; an annotation beside it wins."""
        for _ in range(8):
            if not isinstance(node, dict) or "$ref" not in node:
                break
            path = node["$ref"].removeprefix("#/").split("/")
            target = self.schema
            for part in path:
                target = target.get(part, {}) if isinstance(target, dict) else {}
            node = {**target, **{key: value for key, value in node.items() if key != "$ref"}}
        return node if isinstance(node, dict) else {}

    def innermost(self, node):
        """The items of a list, the values of a map, and so on down."""
        node = self.resolve(node)
        for _ in range(8):
            if "items" in node and isinstance(node["items"], dict):
                node = self.resolve(node["items"])
            elif node.get("patternProperties") and not node.get("properties"):
                node = self.resolve(next(iter(node["patternProperties"].values())))
            else:
                break
        return node


def relations_of(lint, node):
    """`Type.Attribute` for every relation that cfn-lint's schema states."""
    found = []
    for part in [lint.resolve(node), lint.innermost(node)]:
        for alternative in [part, *part.get("anyOf", []), *part.get("oneOf", [])]:
            if not isinstance(alternative, dict):
                continue
            name = alternative.get("format", "")
            if isinstance(name, str) and name.startswith("AWS::"):
                type_name, attribute = name.split(".")
                found.append(f"{corrections.FORMAT_TYPES.get(type_name, type_name)}.{attribute.removesuffix('s')}")
            ref = alternative.get("relationshipRef")
            if ref:
                found.append(f"{ref['typeName']}.{ref['propertyPath'].split('/')[-1]}")
    return list(dict.fromkeys(found))


def add_limits(field, lint, node):
    """Enums, patterns and ranges; of the innermost value for lists and maps."""
    outer, inner = lint.resolve(node), lint.innermost(node)
    if "enum" in inner and "enum" not in field:
        field["enum"] = inner["enum"]
    if "enumCaseInsensitive" in inner and "enum" not in field:
        field["enum"] = inner["enumCaseInsensitive"]
        field["enum_ignores_case"] = True
    for key, source in [
        ("pattern", "pattern"),
        ("minimum", "minimum"),
        ("maximum", "maximum"),
        ("min_length", "minLength"),
        ("max_length", "maxLength"),
    ]:
        value = inner.get(source)
        if value is not None and (key, value) not in [("min_length", 0), ("pattern", ""), ("pattern", ".*")]:
            field[key] = value
    for key, source in [("min_items", "minItems"), ("max_items", "maxItems")]:
        if outer.get(source):
            field[key] = outer[source]


def rules_of(node):
    """Conditions over several properties. An alternative is the list of keys that must all be there."""

    def alternatives(branches):
        keys = [branch.get("required") for branch in branches if isinstance(branch, dict) and set(branch) == {"required"}]
        return keys if len(keys) == len(branches) and len(keys) > 1 and all(keys) else None

    exactly, at_least = [], []
    if node.get("requiredXor"):
        exactly.append([[key] for key in node["requiredXor"]])
    if node.get("requiredOr"):
        at_least.append([[key] for key in node["requiredOr"]])
    if alternatives(node.get("oneOf", [])):
        exactly.append(alternatives(node["oneOf"]))
    if alternatives(node.get("anyOf", [])):
        at_least.append(alternatives(node["anyOf"]))
    requires = dict(node.get("dependentRequired", {}))
    requires.update({key: value for key, value in node.get("dependencies", {}).items() if isinstance(value, list)})
    rules = {
        "exactly_one": exactly,
        "at_least_one": at_least,
        "requires": requires,
        "excludes": dict(node.get("dependentExcluded", {})),
    }
    return {key: value for key, value in rules.items() if value}


def make_field(raw):
    field = {"type": raw["type"]}
    if raw.get("required"):
        field["required"] = True
    replacement = {"yes": "always", "maybe": "conditionally"}.get(raw.get("causesReplacement"))
    if replacement:
        field["replaces"] = replacement
    if raw.get("allowedValues"):
        field["enum"] = raw["allowedValues"]
    if raw.get("relations"):
        field["refers"] = list(raw["relations"])
    if raw.get("scrutinizable") not in {None, "None"}:
        field["security"] = raw["scrutinizable"]
    if raw.get("deprecated"):
        field["deprecated"] = True
    documentation = first_sentence(raw.get("documentation"))
    if documentation:
        field["documentation"] = documentation
    return field


def merge_fields(fields, lint, node, resource, seen):
    """Adds cfn-lint's knowledge to the fields of a resource or nested type, and descends."""
    required = node.get("required", [])
    for key, field in fields.items():
        other = node.get("properties", {}).get(key)
        if not isinstance(other, dict):
            continue
        if field.get("required") and key not in required:
            del field["required"]  # where the sources disagree, the more lenient one
        add_limits(field, lint, other)
        if relations_of(lint, other):
            field["refers"] = list(dict.fromkeys(field.get("refers", []) + relations_of(lint, other)))
        nested = re.sub(r"^(?:(?:list|map)<)*|>*$", "", field["type"])
        if nested in resource["types"] and nested not in seen:
            seen.add(nested)
            inner = lint.innermost(other)
            rules = rules_of(inner)
            if rules:
                resource["types"][nested]["rules"] = rules
            merge_fields(resource["types"][nested]["properties"], lint, inner, resource, seen)


def make_resource(raw, schema, stateful):
    resource = {}
    documentation = first_sentence(raw.get("documentation"))
    if documentation:
        resource["documentation"] = documentation
    primary = raw.get("primaryIdentifier") or []
    resource["primary_identifier"] = primary
    resource["ref"] = raw.get("refIdentifier") or primary
    if raw.get("tags"):
        resource["tags"] = {"property": raw["tags"]["tagPropertyName"], "shape": raw["tags"]["variant"]}
    if raw.get("stateful") or raw["type"] in stateful:
        resource["stateful"] = True
    if raw.get("scrutinizable") not in {None, "None"}:
        resource["security"] = raw["scrutinizable"]
    if raw.get("arnTemplate"):
        resource["arn"] = raw["arnTemplate"]
    if raw.get("transform"):
        resource["transform"] = raw["transform"]
    if raw.get("replacementPaths"):
        resource["replacement_paths"] = sorted({"/".join(path) for path in raw["replacementPaths"]})
    resource["attributes"] = {key: make_field(field) for key, field in sorted(raw["attributes"].items())}
    resource["properties"] = {key: make_field(field) for key, field in sorted(raw["properties"].items())}
    resource["types"] = {}
    for name, nested in sorted(raw["types"].items()):
        definition = {}
        documentation = first_sentence(nested.get("documentation"))
        if documentation:
            definition["documentation"] = documentation
        definition["properties"] = {key: make_field(field) for key, field in sorted(nested["properties"].items())}
        resource["types"][name] = definition
    if schema:
        lint = Lint(schema)
        rules = rules_of(schema)
        if rules:
            resource["rules"] = rules
        merge_fields(resource["properties"], lint, schema, resource, set())
    return resource


def canonical(target, resources):
    """A relation's target as `Type.Attribute` where the attribute exists or is what `Ref` yields; else nothing."""
    target = corrections.SAME_AS.get(target, target)
    type_name, attribute = target.rsplit(".", 1)
    resource = resources.get(type_name)
    if not resource:
        return None
    ref = resource["ref"][0] if len(resource["ref"]) == 1 else None
    short = type_name.rsplit("::", 1)[1]
    found = None
    for candidate in [attribute, short + attribute]:
        if candidate == ref or candidate in resource["attributes"]:
            found = candidate
            break
    if not found and ref and (attribute == "Id" or ref.endswith(attribute)):
        found = ref
    if not found:
        return None
    return corrections.SAME_AS.get(f"{type_name}.{found}", f"{type_name}.{found}")


def holders(resource):
    yield resource
    yield from resource["types"].values()


def all_fields(resources):
    for resource in resources.values():
        for holder in holders(resource):
            yield from holder["properties"].values()


def identifies(target, resources):
    """Whether an attribute identifies its resource; an address or a version number only describes it."""
    type_name, attribute = target.rsplit(".", 1)
    return resources[type_name]["ref"] == [attribute] or re.search(r"(Arn|Id|Identifier|Name|Url)$", attribute)


def settle_relations(resources):
    """Makes every relation canonical.

    Dropped are relations to something that no attribute yields or that identifies nothing, and those of a property
    that gives the resource its own name.
    """
    for type_name, resource in resources.items():
        for holder in holders(resource):
            for key, field in holder["properties"].items():
                settled = [canonical(target, resources) for target in field.pop("refers", [])]
                if not settled or None in settled or settled == [f"{type_name}.{key}"]:
                    continue
                if all(identifies(target, resources) for target in settled):
                    field["refers"] = sorted(set(settled))


def mark_targets(resources):
    """Marks the attributes, and what `Ref` yields, where some property refers to them."""
    targets = {target for field in all_fields(resources) for target in field.get("refers", [])}
    for type_name, resource in resources.items():
        for key, field in resource["attributes"].items():
            target = canonical(f"{type_name}.{key}", resources)
            field.pop("refers", None)
            twin = resource["properties"].get(key, {}).get("refers", [])
            if field["type"] == "string" and target in targets:
                field["refers"] = [target]
            elif field["type"] == "string" and len(twin) == 1:
                field["refers"] = twin  # an attribute that gives back what a property took
        if len(resource["ref"]) == 1:
            target = canonical(f"{type_name}.{resource['ref'][0]}", resources)
            if target in targets:
                resource["ref_refers"] = target


def order_keys(resources):
    """What reads best: the type first, the words last, nested types after everything."""
    for resource in resources.values():
        for holder in holders(resource):
            for group in ["attributes", "properties"]:
                for field in holder.get(group, {}).values():
                    if "documentation" in field:
                        field["documentation"] = field.pop("documentation")
        for key in ["attributes", "properties", "types"]:
            resource[key] = resource.pop(key)


def check_types(resources):
    """Every type a field names is known."""
    known = {"string", "integer", "number", "boolean", "json", "timestamp", "tag"}
    for type_name, resource in resources.items():
        for holder in holders(resource):
            for key, field in holder["properties"].items():
                for part in re.split(r"[|<>]+", field["type"]):
                    if part and part not in known | {"list", "map"} and part not in resource["types"]:
                        raise SystemExit(f"{type_name}: {key} has the unknown type {field['type']}")


EXPANDED = {"resources", "types", "attributes", "properties"}


def dump(value, name="", inside="", depth=0):
    """JSON with one field a line, so that an update of the sources reads as a diff of data."""
    expand = isinstance(value, dict) and value and (depth == 0 or name in EXPANDED or inside in {"resources", "types"})
    if not expand:
        return json.dumps(value, ensure_ascii=False)
    pad = " " * (depth + 1)
    lines = [
        f"{pad}{json.dumps(key, ensure_ascii=False)}: {dump(item, key, name, depth + 1)}" for key, item in value.items()
    ]
    return "{\n" + ",\n".join(lines) + "\n" + " " * depth + "}"


def module_name(namespace):
    """`AWS::SQS` → `sqs`; others keep their vendor."""
    vendor, service = namespace.split("::")
    return service.lower() if vendor == "AWS" else f"{vendor}_{service}".lower()


def main(spec_path, wheel_path, out_path):
    spec = json.loads(Path(spec_path).read_text())
    schemas, stateful = load_lint(wheel_path)
    resources = {
        raw["type"]: make_resource(raw, schemas.get(raw["type"]), stateful)
        for raw in sorted(spec, key=lambda raw: raw["type"])
    }
    check_types(resources)
    settle_relations(resources)
    corrections.apply(resources)
    mark_targets(resources)
    order_keys(resources)
    services = {}
    for type_name, resource in resources.items():
        namespace = type_name.rsplit("::", 1)[0]
        services.setdefault(namespace, {})[type_name] = resource
    out = Path(out_path)
    out.mkdir(parents=True, exist_ok=True)
    names = [module_name(namespace) for namespace in services]
    if len(set(names)) != len(names):
        raise SystemExit("two services have the same module name")
    for namespace, members in services.items():
        document = {"namespace": namespace, "resources": members}
        (out / f"{module_name(namespace)}.json").write_text(dump(document) + "\n", encoding="utf-8")
    print(f"{len(resources)} resource types in {len(services)} services")


if __name__ == "__main__":
    main(*sys.argv[1:])
