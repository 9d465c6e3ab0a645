#!/usr/bin/env python3
"""Compiles the schema files into C++.

usage: generate.py OUT_DIR SCHEMA.yaml...

OUT_DIR/control/schema gets
  tables.inc      constant tables of types, fields and resources, read by schema.cpp
  kinds.h         kinds::kPods and its like: the KindId of every built-in resource
  views/<file>.h  typed views (views.py): PodView{object}.spec().nodeName()
Files whose content would not change are left alone. The format of the input is in README.md.
"""
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path[:0] = [HERE, os.path.join(HERE, "..", "object")]

import yaml  # noqa: E402

from symbols import constant, write_if_changed  # noqa: E402
import views  # noqa: E402

SCALARS = {
    "string": "kString", "int32": "kInt32", "int64": "kInt64", "bool": "kBool", "double": "kDouble",
    "bytes": "kBytes", "quantity": "kQuantity", "int-or-string": "kIntOrString", "time": "kTime",
    "micro-time": "kMicroTime", "any": "kAny",
}
SHAPES = (("map[string][]", "kMapOfLists"), ("map[string]", "kMap"), ("[]", "kList"))
FIELD_WORDS = {"type", "go", "required", "default", "enum", "min", "max", "zero", "empty", "patch", "key",
               "list", "keys", "map", "text"}


class Field:
    def __init__(self, name, form):
        form = {"type": form} if isinstance(form, str) else form
        unknown = set(form) - FIELD_WORDS
        if unknown:
            raise SystemExit("schema: field %s: unknown words %s" % (name, sorted(unknown)))
        self.name, self.form, self.shape, self.base = str(name), form, "kSingle", form["type"]
        for prefix, shape in SHAPES:
            if self.base.startswith(prefix):
                self.shape, self.base = shape, self.base[len(prefix):]
                break
        self.type = None  # the Type of an object's element

    @property
    def scalar(self):
        return self.base if self.base in SCALARS else None


class Type:
    def __init__(self, file, name, form):
        self.file, self.name, self.form, self.package = file, name, form, file.package
        fields = dict(form["fields"] or {})
        if form.get("kind"):
            fields = {"apiVersion": "string", "kind": "string", **fields}
        self.fields = sorted((Field(n, f) for n, f in fields.items()), key=lambda f: f.name.encode())
        self.index = -1


class File:
    def __init__(self, path):
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        self.data = yaml.load(open(path, encoding="utf-8"), Loader=loader)
        self.stem = os.path.splitext(os.path.basename(path))[0]
        self.package = self.data["package"]
        self.types = [Type(self, name, form) for name, form in self.data["types"].items()]


class Model:
    def __init__(self, paths):
        self.paths = sorted(paths)
        self.files = [File(path) for path in self.paths]
        self.types = [t for file in self.files for t in file.types]
        self.by_name = {}
        for index, t in enumerate(self.types):
            t.index = index
            if (t.package, t.name) in self.by_name:
                raise SystemExit("schema: %s.%s is there twice" % (t.package, t.name))
            self.by_name[(t.package, t.name)] = t
        for t in self.types:
            for f in t.fields:
                if not f.scalar:
                    f.type = self.resolve(t.package, f.base)

    def find(self, package, text):
        if "." in text:
            package, text = text.split(".", 1)
        return self.by_name.get((package, text))

    def resolve(self, package, text):
        found = self.find(package, text)
        if found is None:
            raise SystemExit("schema: unknown type %s in package %s" % (text, package))
        return found


def cpp(text):
    return '"%s"' % str(text).replace("\\", "\\\\").replace('"', '\\"')


def flag(value):
    return "true" if value else "false"


def bound(value):
    return "{}" if value is None else "%dLL" % value


def keeps_zero(field):
    # A number or percentage is a struct in Go, or a pointer to one: neither is dropped when it is 0.
    return field.form.get("zero") == "kept" or field.form.get("required") or field.base == "int-or-string"


def field_row(field, enums):
    form = field.form
    keys = form.get("keys") or ([form["key"]] if form.get("list") == "map" and "key" in form else [])
    keys = (list(keys) + ["", "", ""])[:3]
    first = len(enums)
    enums.extend(form.get("enum", []))
    patch = form.get("patch", "")
    cells = [
        cpp(field.name), "Shape::" + field.shape,
        "BaseType::" + (SCALARS[field.base] if field.scalar else "kObject"),
        str(field.type.index if field.type else -1), flag(form.get("required")),
        flag(keeps_zero(field)), flag("merge" in patch),
        flag("retainKeys" in patch), cpp(form.get("key", "")),
        "ListType::k" + (form.get("list") or "none").capitalize(),
        "{%s}" % ", ".join(cpp(k) for k in keys), flag(form.get("map") == "atomic"),
        cpp(json.dumps(form["default"], separators=(",", ":"))) if "default" in form else '""',
        str(first), str(len(enums) - first), bound(form.get("min")), bound(form.get("max")),
        flag(form.get("empty") == "allowed"), cpp(form.get("text", "")),
        cpp(form.get("go", "")),
    ]
    return "{%s}," % ", ".join(cells)


def kind_constant(file, plural):
    # Kinds with a second home under the same plural.
    second = file.package in ("events", "autoscaling_v1", "metrics")
    return constant("%s_%s" % (file.package, plural) if second else plural)


def write_tables(model, directory):
    enums, fields, types, subs, resources, kinds = [], [], [], [], [], []
    for t in model.types:
        data = t.file.data
        first = len(fields)
        fields.extend(field_row(f, enums) for f in t.fields)
        types.append("{%s, %s, %s, %s, %s, %s, %d, %d, %s}," % (
            cpp(t.package), cpp(t.name), cpp(data["openapi"]),
            cpp(data.get("group", "") if t.form.get("kind") else ""),
            cpp(data.get("version", "") if t.form.get("kind") else ""), cpp(t.form.get("text", "")),
            first, len(t.fields), flag(t.form.get("map") == "atomic")))
    for file in model.files:
        for plural, r in file.data.get("resources", {}).items():
            first = len(subs)
            for name, sub in r.get("subresources", {}).items():
                kind = sub.get("kind", r["kind"])
                target = model.find(file.package, kind)
                home = target.file.data if target else file.data
                subs.append("{%s, %s, %s, %s, %d, %s}," % (
                    cpp(name), cpp(kind.split(".")[-1]), cpp(home["group"]), cpp(home["version"]),
                    target.index if target else -1, cpp(" ".join(sub["verbs"]))))
            kinds.append("inline constexpr KindId %s{%d};" % (kind_constant(file, plural),
                                                              len(resources) + 1))
            resources.append("{%s, %d, %d, %d}," % (
                ", ".join([cpp(file.data["group"]), cpp(file.data["version"]), cpp(plural),
                           cpp(r["singular"]), cpp(r["kind"]), flag(r["namespaced"])] +
                          [cpp(" ".join(r.get(w, []))) for w in ("verbs", "short", "categories",
                                                                 "selectable")]),
                model.resolve(file.package, r["kind"]).index, first, len(subs) - first))

    def table(row, name, rows):
        return "constexpr %s %s[] = {\n%s\n};\n" % (row, name, "\n".join(rows))

    write_if_changed(
        os.path.join(directory, "tables.inc"),
        "// Generated by control/schema/generate.py.\n" + "\n".join([
            table("std::string_view", "kEnums", [cpp(e) + "," for e in enums]),
            table("FieldRow", "kFields", fields), table("TypeRow", "kTypes", types),
            table("SubresourceRow", "kSubresources", subs),
            table("ResourceRow", "kResources", resources)]))
    write_if_changed(
        os.path.join(directory, "kinds.h"),
        "// Generated by control/schema/generate.py: the KindId of every built-in resource.\n"
        "#pragma once\n\n#include \"control/object/object_ref.h\"\n\n"
        "namespace minik::control::kinds {\n\n" + "\n".join(kinds) +
        "\n\n}  // namespace minik::control::kinds\n")


def main():
    directory = os.path.join(sys.argv[1], "control", "schema")
    model = Model(sys.argv[2:])
    write_tables(model, directory)
    views.write(model, os.path.join(directory, "views"))


if __name__ == "__main__":
    main()
