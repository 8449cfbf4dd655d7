"""As much of JSON Schema (draft 4) as the runtime specification's schemas use."""
import json
import pathlib
import re

TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float), "null": type(None)}


class Schema:
    """The schema in a file; `$ref` to other files beside it are followed."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.files = {}

    def faults(self, value):
        """What is wrong with `value`: texts that begin with the place."""
        return list(self._check(self._file(self.path), self.path, value, ""))

    def _file(self, path):
        if path not in self.files:
            self.files[path] = json.loads(path.read_text())
        return self.files[path]

    def _resolve(self, reference, path):
        name, _, pointer = reference.partition("#")
        path = path.parent / name if name else path
        node = self._file(path)
        for word in filter(None, pointer.split("/")):
            node = node[word]
        return node, path

    def _check(self, schema, path, value, place):
        if "$ref" in schema:
            schema, path = self._resolve(schema["$ref"], path)
            yield from self._check(schema, path, value, place)
            return
        wanted = schema.get("type")
        if wanted is not None:
            kinds = wanted if isinstance(wanted, list) else [wanted]
            fits = any(isinstance(value, TYPES[kind]) and not (isinstance(value, bool) and kind in ("integer", "number"))
                       for kind in kinds)
            if not fits:
                yield f"{place}: {value!r} is no {wanted}"
                return
        if "enum" in schema and value not in schema["enum"]:
            yield f"{place}: {value!r} is not one of {schema['enum']}"
        if isinstance(value, str) and "pattern" in schema and not re.search(schema["pattern"], value):
            yield f"{place}: {value!r} does not match {schema['pattern']}"
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            if value < schema.get("minimum", value) or value > schema.get("maximum", value):
                yield f"{place}: {value} is out of range"
        if isinstance(value, list) and "items" in schema:
            if len(value) < schema.get("minItems", 0):
                yield f"{place}: too few items"
            for number, item in enumerate(value):
                yield from self._check(schema["items"], path, item, f"{place}[{number}]")
        if isinstance(value, dict):
            for name in schema.get("required", []):
                if name not in value:
                    yield f"{place}.{name}: is missing"
            for name, item in value.items():
                rule = schema.get("properties", {}).get(name)
                if rule is None:
                    rule = next((rule for pattern, rule in schema.get("patternProperties", {}).items() if re.search(pattern, name)), {})
                yield from self._check(rule, path, item, f"{place}.{name}")
        for rule in schema.get("allOf", []):
            yield from self._check(rule, path, value, place)
        for word in ("anyOf", "oneOf"):
            if word in schema and all(list(self._check(rule, path, value, place)) for rule in schema[word]):
                yield f"{place}: {value!r} fits none of {word}"
