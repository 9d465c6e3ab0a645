// What users and administrators do: spec.workloads and spec.timeline.
#include <algorithm>

#include "control/base/typo.h"
#include "control/object/keys.h"
#include "control/schema/names.h"
#include "control/schema/schema.h"
#include "sim/scenario/manifest_fields.h"
#include "sim/scenario/parts.h"

namespace minik::sim {

namespace keys = control::keys;
using control::Value;

namespace {

constexpr size_t kObjectsMax = 100'000;

// A List stands for its items, as kubectl takes it. `at` is where it stands in the reader's document; empty: it is that.
Status add_manifest(const Reader& r, const Value& object, const std::string& place, const std::string& at, std::vector<Value>& into) {
  const auto refuse = [&](std::string_view what) { return Error(ErrorCode::kBadRequest, cat(place, ": ", what)); };
  if (!object.is_map()) return refuse("needs an object or a list of objects");
  if (object[keys::kKind].as_string() == "List" && object[keys::kApiVersion].as_string() == "v1") {
    const auto items = object[keys::kItems].items();
    for (size_t i = 0; i < items.size(); ++i) {
      MINIK_TRY(add_manifest(r, items[i], place, cat(Reader::child(at, "items"), "[", i, "]"), into));
    }
    return {};
  }
  const auto version = object[keys::kApiVersion].as_string(), kind = object[keys::kKind].as_string();
  const bool custom = std::ranges::any_of(r.definitions(), [&](const CustomDefinition& definition) {
    return definition.kind == kind && std::ranges::any_of(definition.versions, [&](const std::string& served) {
      return version == cat(definition.group, "/", served);
    });
  });
  if (!custom) {
    const auto* resource = control::Schema::builtin().find_kind(version, kind);
    if (!resource) return refuse(cat("no kind ", quoted(kind), " in version ", quoted(version)));
    if (const auto complaint = complaint_about(*resource, object)) {
      const std::string what = cat(kind, " ", control::object_name(object), ": ", complaint->what);
      const std::string field_at = complaint->path.empty() ? at : Reader::child(at, complaint->path);
      return Error(ErrorCode::kBadRequest, cat(r.place(field_at), ": ", at, at.empty() ? "" : ": ", what));
    }
  }
  if (into.size() >= kObjectsMax) return refuse(cat("more than ", kObjectsMax, " objects"));
  into.push_back(object);
  return {};
}

Status add_file(const Reader& r, const Value& v, const std::string& at, const ScenarioFiles& files, std::vector<Value>& into) {
  MINIK_TRY(r.only(v, at, {"file"}));
  MINIK_ASSIGN(const auto path, r.text(v, at, "file", ""));
  if (path.empty()) return r.error(at, "needs the path of a file");
  if (!files.read) return r.error(at, "no other files can be read here; put the objects inline");
  const auto text = files.read(path);
  if (!text) return r.error(at, text.error().message);
  MINIK_ASSIGN(const auto documents, control::parse_yaml(*text, path == "-" ? "standard input" : path));
  for (const auto& document : documents) {
    Reader in_file(document, path == "-" ? "standard input" : path);
    in_file.know_definitions(r.definitions());
    MINIK_TRY(add_manifest(in_file, document.value, in_file.place(""), "", into));
  }
  return {};
}

Result<PatchAction> set_image(const Reader& r, const Value& v, const std::string& at) {
  MINIK_TRY(r.only(v, at, {"kind", "namespace", "name", "container", "image"}));
  PatchAction action;
  MINIK_ASSIGN(action.target, r.reference(v, at));
  MINIK_ASSIGN(const auto container, r.text(v, at, "container", ""));
  MINIK_ASSIGN(const auto image, r.text(v, at, "image", ""));
  if (container.empty() || image.empty()) return r.error(at, "needs a container and an image");
  action.patch = Value::empty_map().with_at({keys::kSpec, keys::kTemplate, keys::kSpec, keys::kContainers},
                                            Value::array({Value::map({{keys::kName, container}, {keys::kImage, image}})}));
  action.says = cat("set image of ", action.target.name, " to ", image);
  return action;
}

Result<PatchAction> scale(const Reader& r, const Value& v, const std::string& at) {
  MINIK_TRY(r.only(v, at, {"kind", "namespace", "name", "replicas"}));
  PatchAction action;
  MINIK_ASSIGN(action.target, r.reference(v, at));
  MINIK_ASSIGN(const auto replicas, r.number(v, at, "replicas", -1));
  if (replicas < 0) return r.error(at, "needs replicas of at least 0");
  action.type = control::PatchType::kMerge;
  action.patch = Value::empty_map().with_at({keys::kSpec, keys::kReplicas}, replicas);
  action.says = cat("scale ", action.target.name, " to ", replicas);
  return action;
}

Result<PatchAction> patch(const Reader& r, const Value& v, const std::string& at) {
  MINIK_TRY(r.only(v, at, {"kind", "namespace", "name", "type", "patch"}));
  PatchAction action;
  MINIK_ASSIGN(action.target, r.reference(v, at));
  MINIK_ASSIGN(const auto type, r.word(v, at, "type", {"strategic", "merge", "json"}, 0));
  action.type = type == 0   ? control::PatchType::kStrategicMerge
                : type == 1 ? control::PatchType::kMerge
                            : control::PatchType::kJson;
  action.patch = v.get("patch");
  if (type == 2 ? !action.patch.is_array() : !action.patch.is_map()) {
    return r.error(at, type == 2 ? "needs a patch that is a list of operations" : "needs a patch that is a mapping");
  }
  const auto& builtin = control::Schema::builtin();
  if (type != 2 && action.target.id.value < builtin.resources().size()) {
    // A server drops what it does not know with a warning that nobody reads here.
    if (const auto complaint = complaint_about_patch(builtin.resource(action.target.id), action.patch)) {
      const std::string patch_at = Reader::child(at, "patch");
      return r.error(complaint->path.empty() ? patch_at : Reader::child(patch_at, complaint->path), complaint->what);
    }
  }
  action.says = cat("patch ", action.target.text());
  return action;
}

Result<UpgradePoolAction> upgrade_pool(const Reader& r, const Value& v, const std::string& at) {
  MINIK_TRY(r.only(v, at, {"pool", "maxUnavailable", "replace", "drainTimeout", "labels"}));
  UpgradePoolAction action;
  MINIK_ASSIGN(action.pool, r.text(v, at, "pool", ""));
  if (action.pool.empty()) return r.error(at, "needs a pool");
  if (const auto known = r.nodes(Value::map({{"pool", action.pool}}), at); !known) return known.error();
  MINIK_ASSIGN(action.max_unavailable, r.number(v, at, "maxUnavailable", 1, 1));
  MINIK_ASSIGN(action.replace, r.distribution(v, at, "replace", action.replace));
  if (v.contains("drainTimeout")) {
    MINIK_ASSIGN(action.drain_timeout, r.duration(v, at, "drainTimeout", {}));
  }
  MINIK_ASSIGN(action.labels, r.text_map(v, at, "labels"));
  for (const auto& [name, value] : action.labels) {
    for (const auto& wrong : {control::check_qualified_name(name), control::check_label_value(value)}) {
      if (!wrong.empty()) return r.error(at + ".labels", cat(quoted(name), ": ", wrong.front()));
    }
  }
  return action;
}

Result<DrainAction> drain(const Reader& r, const Value& v, const std::string& at) {
  DrainAction action;
  MINIK_ASSIGN(action.nodes, r.nodes(v, at, {"timeout", "gracePeriodSeconds"}));
  if (v.contains("timeout")) {
    MINIK_ASSIGN(action.timeout, r.duration(v, at, "timeout", {}));
  }
  if (v.contains("gracePeriodSeconds")) {
    MINIK_ASSIGN(action.grace_period_seconds, r.number(v, at, "gracePeriodSeconds", 0));
  }
  return action;
}

Result<SetLoadAction> set_load(const Reader& r, const Value& v, const std::string& at) {
  MINIK_TRY(r.only(v, at, {"image", "cpu", "requests"}));
  SetLoadAction action;
  MINIK_ASSIGN(action.image, r.text(v, at, "image", ""));
  if (v.contains("cpu")) {
    MINIK_ASSIGN(const auto cpu, r.quantity_within(v, at, "cpu", "0", "0", "100k"));
    action.milli_cpu = cpu.milli();
  }
  if (v.contains("requests")) {
    MINIK_ASSIGN(action.requests, r.number(v, at, "requests", 0, 0, 1'000'000'000));
  }
  if (action.image.empty() || (!action.milli_cpu && !action.requests)) {
    return r.error(at, "needs an image (an entry of `images` by its `match`), and cpu or requests");
  }
  if (r.images() && std::ranges::find(*r.images(), action.image) == r.images()->end()) {
    const std::vector<std::string_view> known(r.images()->begin(), r.images()->end());
    return r.error(Reader::child(at, "image"), cat("no entry of `images` has `match: ", action.image, "`", perhaps(action.image, known),
                                                   known.empty() ? "" : "; there are ", join(*r.images(), ", ")));
  }
  return action;
}

Result<DeleteAction> remove(const Reader& r, const Value& v, const std::string& at) {
  MINIK_TRY(r.only(v, at, {"kind", "namespace", "name", "propagation"}));
  DeleteAction action;
  MINIK_ASSIGN(action.target, r.reference(v, at));
  MINIK_ASSIGN(const auto policy, r.word(v, at, "propagation", {"Default", "Orphan", "Background", "Foreground"}, 0));
  action.propagation = static_cast<control::PropagationPolicy>(policy);
  return action;
}

// One action: `read(reader, body, path)` makes it from what stands under its name.
struct Reading {
  std::string_view name;
  Result<Action::What> (*read)(const Reader&, const Value&, const std::string&, const ScenarioFiles&);
};

template <auto kRead>
Result<Action::What> reading(const Reader& r, const Value& v, const std::string& at, const ScenarioFiles&) {
  auto action = kRead(r, v, at);
  if (!action) return std::move(action).error();
  return Action::What(*std::move(action));
}

template <typename T>
Result<Action::What> of_nodes(const Reader& r, const Value& v, const std::string& at, const ScenarioFiles&) {
  T action;
  MINIK_ASSIGN(action.nodes, r.nodes(v, at));
  return Action::What(std::move(action));
}

const Reading kActions[] = {
    {"apply",
     [](const Reader& r, const Value& v, const std::string& at, const ScenarioFiles& files) -> Result<Action::What> {
       ApplyAction action;
       MINIK_ASSIGN(action.objects, read_manifests(r, v, at, files));
       return Action::What(std::move(action));
     }},
    {"setImage", reading<set_image>},
    {"scale", reading<scale>},
    {"patch", reading<patch>},
    {"delete", reading<remove>},
    {"cordon", of_nodes<CordonAction>},
    {"uncordon",
     [](const Reader& r, const Value& v, const std::string& at, const ScenarioFiles&) -> Result<Action::What> {
       CordonAction action{{}, false};
       MINIK_ASSIGN(action.nodes, r.nodes(v, at));
       return Action::What(std::move(action));
     }},
    {"drain", reading<drain>},
    {"upgradePool", reading<upgrade_pool>},
    {"startNodes", of_nodes<StartNodesAction>},
    {"healNodes", of_nodes<HealNodesAction>},
    {"setLoad", reading<set_load>},
    {"restart",
     [](const Reader& r, const Value& v, const std::string& at, const ScenarioFiles&) -> Result<Action::What> {
       const auto component = component_named(v.as_string());
       if (!component) return r.error(at, cat("must be ", known_components()));
       return Action::What(RestartAction{*component});
     }},
};

}  // namespace

Result<std::vector<Value>> read_manifests(const Reader& r, const Value& v, const std::string& at, const ScenarioFiles& files) {
  std::vector<Value> objects;
  const auto add = [&](const Value& item, const std::string& item_at) -> Status {
    if (item.is_map() && item.contains("file")) return add_file(r, item, item_at, files, objects);
    return add_manifest(r, item, cat(r.place(item_at), ": ", item_at), item_at, objects);
  };
  if (!v.is_array()) {
    MINIK_TRY(add(v, at));
  } else {
    for (size_t i = 0; i < v.size(); ++i) MINIK_TRY(add(v.items()[i], cat(at, "[", i, "]")));
  }
  if (objects.empty()) return r.error(at, "needs an object or a list of objects");
  // Definitions first: no order of files puts them before what they define.
  std::stable_partition(objects.begin(), objects.end(), [](const Value& object) {
    return object[keys::kKind].as_string() == "CustomResourceDefinition";
  });
  return objects;
}

Result<Action> read_action(const Reader& r, const Value& v, const std::string& at, const ScenarioFiles& files) {
  std::vector<std::string_view> known(std::begin(kTriggerFields), std::end(kTriggerFields));
  for (const auto& [name, read] : kActions) known.push_back(name);
  known.insert(known.end(), fault_names().begin(), fault_names().end());
  MINIK_TRY(r.only(v, at, known));
  Action action;
  action.place = r.place(at);
  MINIK_ASSIGN(action.trigger, read_trigger(r, v, at));
  size_t actions = 0;
  for (const auto& [key, value] : v.entries()) {
    if (std::ranges::find(kTriggerFields, key.text()) != std::end(kTriggerFields)) continue;
    action.text = key.text();
    ++actions;
  }
  if (actions != 1) return r.error(at, "needs `at` or `when`, and exactly one action");
  const Value& body = v.get(action.text);
  const std::string body_at = Reader::child(at, action.text);
  for (const auto& [name, read] : kActions) {
    if (name != action.text) continue;
    MINIK_ASSIGN(action.what, read(r, body, body_at, files));
    return action;
  }
  InjectAction inject;
  MINIK_ASSIGN(inject.fault, read_fault(r, body, body_at, action.text));
  action.what = std::move(inject);
  return action;
}

}  // namespace minik::sim
