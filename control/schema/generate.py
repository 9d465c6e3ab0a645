#!/usr/bin/env python3
"""Compiles the schema files into C++.

usage: generate.py OUT_DIR SCHEMA.yaml...

OUT_DIR/control/schema gets
  tables.inc      constant tables of types, fields and resources, read by schema.cpp
  kinds.h         kinds::kPods and its like: the KindId of every built-in resource
  views/<package>.h   typed views: PodView{object}.spec().nodeName()
Files whose content would not change are left alone.
"""
import os
import sys

import yaml

SCALARS = {
    "string": "kString", "int32": "kInt32", "int64": "kInt64", "bool": "kBool", "double": "kDouble",
    "bytes": "kBytes", "quantity": "kQuantity", "int-or-string": "kIntOrString", "time": "kTime",
    "micro-time": "kMicroTime", "any": "kAny",
}
KEYWORDS = {"namespace", "template", "default", "operator", "continue", "export", "not", "or", "and",
            "enum", "class", "delete", "new", "public", "private", "int", "long", "static", "const"}


def write_if_changed(path, text):
    if os.path.exists(path) and open(path, encoding="utf-8").read() == text:
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)


def cpp(text):
    return '"%s"' % str(text).replace("\\", "\\\\").replace('"', '\\"')


def json_text(value):
    import json
    return json.dumps(value, separators=(",", ":"))


class Type:
    def __init__(self, package, name, spec):
        self.package, self.name = package, name
        self.atomic = spec.get("map") == "atomic"
        self.fields = []
        for field, form in spec["fields"].items():
            form = {"type": form} if isinstance(form, str) else dict(form)
            text = form["type"]
            shape = "kSingle"
            if text.startswith("[]"):
                shape, text = "kList", text[2:]
            elif text.startswith("map:"):
                shape, text = "kMap", text[4:]
                if text.startswith("[]"):
                    text = "any"  # map of lists: only free-form extras have it
            form.update(name=str(field), shape=shape, base=text)
            self.fields.append(form)
        self.fields.sort(key=lambda f: f["name"].encode())


def constant(word):
    import re
    parts = [p for p in re.split(r"[^A-Za-z0-9]+", word) if p]
    return "k" + "".join(p[0].upper() + p[1:] for p in parts)


def accessor(name):
    name = name.replace("$", "").replace("-", "_")
    return name + "_" if name in KEYWORDS else name


def main():
    out, paths = sys.argv[1], sorted(sys.argv[2:])
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    files = [yaml.load(open(path, encoding="utf-8"), Loader=loader) for path in paths]
    types, index = [], {}
    for data in files:
        for name, spec in data["types"].items():
            index[(data["package"], name)] = len(types)
            types.append(Type(data["package"], name, spec))

    def resolve(package, text):
        if "." in text:
            package, text = text.split(".", 1)
        if (package, text) not in index:
            raise SystemExit("schema: unknown type %s in package %s" % (text, package))
        return index[(package, text)]

    lines = []
    field_rows, type_rows, enum_rows = [], [], []
    for t in types:
        first = len(field_rows)
        for f in t.fields:
            base = SCALARS.get(f["base"])
            target = -1
            if base is None:
                base, target = "kObject", resolve(t.package, f["base"])
            enum_first = len(enum_rows)
            enum_rows.extend(f.get("enum", []))
            keys = f.get("keys") or ([f["key"]] if f.get("list") == "map" and "key" in f else [])
            field_rows.append("{%s, Shape::%s, BaseType::%s, %d, %s, %s, %s, %s, ListType::%s, {%s, %s}, %s, %s, %d, %d}," % (
                cpp(f["name"]), f["shape"], base, target,
                "true" if f.get("required") else "false",
                "true" if "merge" in f.get("patch", "") else "false",
                "true" if "retainKeys" in f.get("patch", "") else "false",
                cpp(f.get("key", "")),
                {"map": "kMap", "set": "kSet", "atomic": "kAtomic", None: "kNone"}[f.get("list")],
                cpp(keys[0] if keys else ""), cpp(keys[1] if len(keys) > 1 else ""),
                "true" if f.get("map") == "atomic" else "false",
                cpp(json_text(f["default"])) if "default" in f else '""',
                enum_first, len(f.get("enum", []))))
        type_rows.append("{%s, %s, %d, %d, %s}," % (cpp(t.package), cpp(t.name), first, len(t.fields),
                                                   "true" if t.atomic else "false"))
    lines.append("constexpr std::string_view kEnums[] = {%s\n\"\"};" % "".join("\n" + cpp(e) + "," for e in enum_rows))
    lines.append("constexpr FieldRow kFields[] = {\n%s\n};" % "\n".join(field_rows))
    lines.append("constexpr TypeRow kTypes[] = {\n%s\n};" % "\n".join(type_rows))
    resources, subs, kinds = [], [], []
    for data in files:
        for plural, r in data.get("resources", {}).items():
            sub_first = len(subs)
            for name, s in r.get("subresources", {}).items():
                try:
                    target = resolve(data["package"], s["kind"])
                except SystemExit:
                    target = -1
                subs.append("{%s, %s, %d, %s}," % (cpp(name), cpp(s["kind"].split(".")[-1]), target,
                                                   cpp(" ".join(s["verbs"]))))
            kinds.append("inline constexpr KindId %s{%d};" % (
                constant(plural if data["package"] not in ("events", "autoscaling_v1") else data["package"] + "_" + plural),
                len(resources) + 1))
            resources.append("{%s, %s, %s, %s, %s, %s, %s, %s, %s, %d, %d, %d}," % (
                cpp(data["group"]), cpp(data["version"]), cpp(plural), cpp(r["singular"]), cpp(r["kind"]),
                "true" if r["namespaced"] else "false", cpp(" ".join(r["verbs"])),
                cpp(" ".join(r.get("short", []))), cpp(" ".join(r.get("categories", []))),
                resolve(data["package"], r["kind"]) if (data["package"], r["kind"]) in index else -1,
                sub_first, len(r.get("subresources", {}))))
    lines.append("constexpr SubresourceRow kSubresources[] = {\n%s\n};" % "\n".join(subs))
    lines.append("constexpr ResourceRow kResources[] = {\n%s\n};" % "\n".join(resources))
    base = os.path.join(out, "control/schema")
    write_if_changed(base + "/tables.inc", "// Generated by control/schema/generate.py.\n" + "\n\n".join(lines) + "\n")
    write_if_changed(base + "/kinds.h",
                     "// Generated by control/schema/generate.py: the KindId of every built-in resource.\n"
                     "#pragma once\n\n#include \"control/object/object_ref.h\"\n\n"
                     "namespace minik::control::kinds {\n\n" + "\n".join(kinds) +
                     "\n\n}  // namespace minik::control::kinds\n")
    write_views(base + "/views", files, types, index, resolve)


def write_views(directory, files, types, index, resolve):
    for data in files:
        mine = [t for t in types if t.package == data["package"]]
        includes = set()
        bodies, inlines = [], []
        for t in mine:
            view = t.name + "View"
            rows = []
            for f in t.fields:
                name, key = accessor(f["name"]), "keys::" + constant(f["name"])
                base = f["base"]
                target = None
                if base not in SCALARS:
                    target = types[resolve(t.package, base)]
                    if target.package != t.package:
                        includes.add(target.package)
                raw = "raw()[%s]" % key
                rows.append("  const Value& %s_value() const { return %s; }" % (f["name"].replace("$", "").replace("-", "_"), raw))
                default = f.get("default")
                if f["shape"] == "kSingle" and target is not None:
                    rows.append("  inline %sView %s() const;" % (target.name, name))
                    inlines.append("inline %sView %s::%s() const { return %sView(%s); }" % (
                        target.name, view, name, target.name, raw))
                elif f["shape"] == "kList" and target is not None:
                    rows.append("  inline ViewList<%sView> %s() const;" % (target.name, name))
                    inlines.append("inline ViewList<%sView> %s::%s() const { return ViewList<%sView>(%s); }" % (
                        target.name, view, name, target.name, raw))
                elif f["shape"] == "kList" and base == "string":
                    rows.append("  StringList %s() const { return StringList(%s); }" % (name, raw))
                elif f["shape"] == "kMap" or base in ("any", "int-or-string", "quantity") or f["shape"] == "kList":
                    rows.append("  const Value& %s() const { return %s; }" % (name, raw))
                elif base in ("string", "bytes", "time", "micro-time"):
                    fallback = cpp(default) if isinstance(default, str) and default else ""
                    rows.append("  std::string_view %s() const { return %s.as_string(%s); }" % (name, raw, fallback))
                elif base in ("int32", "int64"):
                    rows.append("  int64_t %s() const { return %s.as_int(%s); }" % (
                        name, raw, default if default is not None else ""))
                elif base == "bool":
                    rows.append("  bool %s() const { return %s.as_bool(%s); }" % (
                        name, raw, "true" if default else ""))
                else:
                    rows.append("  double %s() const { return %s.as_double(); }" % (name, raw))
            bodies.append("class %s : public View {\n public:\n  using View::View;\n%s\n};" % (view, "\n".join(rows)))
        text = ("// Generated by control/schema/generate.py from control/schema/%s.yaml.\n#pragma once\n\n"
                "#include \"control/object/keys.h\"\n#include \"control/schema/view.h\"\n%s\n"
                "namespace minik::control {\n\n%s\n\n%s\n\n%s\n\n}  // namespace minik::control\n" % (
                    data["package"],
                    "".join("#include \"control/schema/views/%s.h\"\n" % i for i in sorted(includes)),
                    "\n".join("class %sView;" % t.name for t in mine), "\n\n".join(bodies), "\n".join(inlines)))
        if data["package"] in ("autoscaling_v1", "events"):
            text = text.replace("namespace minik::control {", "namespace minik::control::%s {" % data["package"], 1)
            text = text.replace("}  // namespace minik::control\n", "}  // namespace minik::control::%s\n" % data["package"])
        write_if_changed("%s/%s.h" % (directory, data["package"]), text)


main()
