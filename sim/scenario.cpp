#include "sim/scenario.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/object/quantity.h"
#include "control/object/selector.h"
#include "control/object/yaml.h"

namespace minik::sim {

using control::Value;

namespace {

// Walks one document with the place of everything at hand, so that every complaint names it.
class Reader {
 public:
  Reader(const control::YamlDocument& document, std::string file) : document_(document), file_(std::move(file)) {}

  std::string place(const std::string& path) const {
    const auto found = document_.lines.find(path);
    return cat(file_, ":", found == document_.lines.end() ? document_.line : found->second);
  }
  Error error(const std::string& path, std::string_view what) const {
    return Error(ErrorCode::kBadRequest, cat(place(path), ": ", path.empty() ? "" : cat(path, ": "), what));
  }

  Status only(const Value& map, const std::string& path, std::initializer_list<std::string_view> known) const {
    if (!map.is_map()) return error(path, "must be a mapping");
    for (const auto& [key, value] : map.entries()) {
      if (std::ranges::find(known, key.text()) != known.end()) continue;
      std::vector<std::string> names;
      for (const auto name : known) names.emplace_back(name);
      return error(child(path, key.text()), cat("unknown field; known here are ", join(names, ", ")));
    }
    return {};
  }

  static std::string child(const std::string& path, std::string_view name) {
    return path.empty() ? std::string(name) : cat(path, ".", name);
  }

  Result<std::string> text(const Value& map, const std::string& path, std::string_view name, std::string fallback) const {
    const Value& value = map.get(name);
    if (!value.has_value()) return fallback;
    if (!value.is_string()) return error(child(path, name), "must be a text");
    return value.string();
  }
  Result<int64_t> number(const Value& map, const std::string& path, std::string_view name, int64_t fallback) const {
    const Value& value = map.get(name);
    if (!value.has_value()) return fallback;
    if (!value.is_int()) return error(child(path, name), "must be a whole number");
    return value.as_int();
  }
  Result<Duration> duration(const Value& map, const std::string& path, std::string_view name, Duration fallback) const {
    const Value& value = map.get(name);
    if (!value.has_value()) return fallback;
    const auto parsed = value.is_string() ? parse_duration(value.as_string()) : std::nullopt;
    if (!parsed || *parsed < Duration{}) return error(child(path, name), "must be a duration such as 90s or 2m30s");
    return *parsed;
  }
  Result<control::Quantity> quantity(const Value& map, const std::string& path, std::string_view name,
                                     std::string_view fallback) const {
    const Value& value = map.get(name);
    if (!value.has_value()) return control::Quantity::parse(fallback);
    if (value.is_int()) return control::Quantity::of(value.as_int());
    auto parsed = control::Quantity::parse(value.as_string());
    if (!parsed) return error(child(path, name), "must be a quantity such as 500m or 2Gi");
    return parsed;
  }
  // One duration, or {min, max}.
  Result<Spread> spread(const Value& map, const std::string& path, std::string_view name, Spread fallback) const {
    const Value& value = map.get(name);
    if (!value.has_value()) return fallback;
    if (!value.is_map()) {
      MINIK_ASSIGN(const auto fixed, duration(map, path, name, {}));
      return Spread{fixed, fixed};
    }
    const std::string at = child(path, name);
    MINIK_TRY(only(value, at, {"min", "max"}));
    Spread result = fallback;
    MINIK_ASSIGN(result.min, duration(value, at, "min", fallback.min));
    MINIK_ASSIGN(result.max, duration(value, at, "max", fallback.max));
    if (result.max < result.min) return error(at, "max is less than min");
    return result;
  }

  Result<ObjectReference> reference(const Value& map, const std::string& path) const {
    ObjectReference reference;
    MINIK_ASSIGN(reference.kind, text(map, path, "kind", ""));
    MINIK_ASSIGN(reference.namespace_, text(map, path, "namespace", "default"));
    MINIK_ASSIGN(reference.name, text(map, path, "name", ""));
    MINIK_ASSIGN(reference.id, kind(path, reference.kind));
    if (reference.name.empty()) return error(path, "needs a name");
    if (!control::Schema::builtin().resource(reference.id).namespaced) reference.namespace_.clear();
    return reference;
  }

  Result<control::KindId> kind(const std::string& path, std::string_view name) const {
    for (const auto& resource : control::Schema::builtin().resources()) {
      if (resource.kind == name && resource.has_verb("create")) return resource.id;
    }
    return error(child(path, "kind"), cat("unknown kind ", quoted(name)));
  }

 private:
  const control::YamlDocument& document_;
  std::string file_;
};

Result<NodePool> read_pool(const Reader& r, const Value& v, const std::string& at) {
  MINIK_TRY(r.only(v, at, {"name", "count", "capacity", "labels", "zones", "taints"}));
  NodePool pool;
  MINIK_ASSIGN(pool.name, r.text(v, at, "name", "node"));
  MINIK_ASSIGN(pool.count, r.number(v, at, "count", 1));
  if (pool.count < 1 || pool.count > 65'000) return r.error(at + ".count", "must be from 1 to 65000");
  const Value& capacity = v.get("capacity");
  const std::string capacity_at = at + ".capacity";
  if (capacity.has_value()) MINIK_TRY(r.only(capacity, capacity_at, {"cpu", "memory", "pods"}));
  MINIK_ASSIGN(const auto cpu, r.quantity(capacity, capacity_at, "cpu", "8"));
  MINIK_ASSIGN(const auto memory, r.quantity(capacity, capacity_at, "memory", "32Gi"));
  MINIK_ASSIGN(const auto pods, r.quantity(capacity, capacity_at, "pods", "110"));
  pool.milli_cpu = cpu.milli();
  pool.memory_bytes = memory.units();
  pool.pods_max = pods.units();
  for (const auto& [key, value] : v.get("labels").entries()) pool.labels[std::string(key.text())] = value.string();
  for (const auto& zone : v.get("zones").items()) pool.zones.push_back(zone.string());
  pool.taints = v.get("taints");
  return pool;
}

Result<ImageBehaviour> read_image(const Reader& r, const Value& v, const std::string& at) {
  MINIK_TRY(r.only(v, at, {"match", "pull", "preloaded", "missing", "start", "startError", "ready", "neverReady", "stop", "exitAfter", "exitCode"}));
  ImageBehaviour image;
  MINIK_ASSIGN(image.match, r.text(v, at, "match", "*"));
  MINIK_ASSIGN(image.pull, r.spread(v, at, "pull", image.pull));
  MINIK_ASSIGN(image.start, r.spread(v, at, "start", image.start));
  MINIK_ASSIGN(image.ready, r.spread(v, at, "ready", image.ready));
  MINIK_ASSIGN(image.stop, r.spread(v, at, "stop", image.stop));
  image.preloaded = v.get("preloaded").as_bool();
  image.missing = v.get("missing").as_bool();
  image.never_ready = v.get("neverReady").as_bool();
  image.start_error = v.get("startError").string();
  if (v.get("exitAfter").has_value()) {
    MINIK_ASSIGN(image.exit_after, r.spread(v, at, "exitAfter", {}));
  }
  MINIK_ASSIGN(const auto code, r.number(v, at, "exitCode", 0));
  image.exit_code = static_cast<int>(code);
  return image;
}

Status read_nodes(const Reader& r, const Value& v, const std::string& at, Action& action) {
  if (v.as_string() == "all") return {};
  MINIK_TRY(r.only(v, at, {"names", "count"}));
  for (const auto& name : v.get("names").items()) action.nodes.push_back(name.string());
  MINIK_ASSIGN(action.count, r.number(v, at, "count", 0));
  if (action.nodes.empty() && action.count < 1) return r.error(at, "needs names or a count of at least 1");
  return {};
}

Result<Action> read_action(const Reader& r, const Value& v, const std::string& at) {
  MINIK_TRY(r.only(v, at, {"at", "apply", "setImage", "scale", "delete", "crashNodes", "startNodes", "partitionNodes",
                           "healNodes", "restart"}));
  Action action;
  MINIK_ASSIGN(action.at, r.duration(v, at, "at", {}));
  if (v.size() != 2 || !v.contains("at")) return r.error(at, "needs `at` and exactly one action");
  for (const auto& [key, value] : v.entries()) {
    if (key.text() != "at") action.text = key.text();
  }
  const Value& body = v.get(action.text);
  const std::string body_at = Reader::child(at, action.text);
  if (action.text == "apply") {
    action.what = Action::What::kApply;
    for (const auto& object : body.items()) action.objects.push_back(object);
    if (body.is_map()) action.objects.push_back(body);
    if (action.objects.empty()) return r.error(body_at, "needs an object or a list of objects");
    for (const auto& object : action.objects) {
      if (!control::Schema::builtin().find_kind(object.get("apiVersion").as_string(), object.get("kind").as_string())) {
        return r.error(body_at, cat("no kind ", quoted(object.get("kind").as_string()), " in version ",
                                    quoted(object.get("apiVersion").as_string())));
      }
    }
  } else if (action.text == "setImage") {
    action.what = Action::What::kSetImage;
    MINIK_TRY(r.only(body, body_at, {"kind", "namespace", "name", "container", "image"}));
    MINIK_ASSIGN(action.target, r.reference(body, body_at));
    MINIK_ASSIGN(action.container, r.text(body, body_at, "container", ""));
    MINIK_ASSIGN(action.image, r.text(body, body_at, "image", ""));
    if (action.container.empty() || action.image.empty()) return r.error(body_at, "needs a container and an image");
  } else if (action.text == "scale") {
    action.what = Action::What::kScale;
    MINIK_TRY(r.only(body, body_at, {"kind", "namespace", "name", "replicas"}));
    MINIK_ASSIGN(action.target, r.reference(body, body_at));
    MINIK_ASSIGN(action.replicas, r.number(body, body_at, "replicas", -1));
    if (action.replicas < 0) return r.error(body_at, "needs replicas of at least 0");
  } else if (action.text == "delete") {
    action.what = Action::What::kDelete;
    MINIK_TRY(r.only(body, body_at, {"kind", "namespace", "name"}));
    MINIK_ASSIGN(action.target, r.reference(body, body_at));
  } else if (action.text == "restart") {
    if (body.as_string() != "controllers" && body.as_string() != "scheduler") {
      return r.error(body_at, "must be controllers or scheduler");
    }
    action.what = body.as_string() == "scheduler" ? Action::What::kRestartScheduler : Action::What::kRestartControllers;
  } else {
    action.what = action.text == "crashNodes"       ? Action::What::kCrashNodes
                  : action.text == "startNodes"     ? Action::What::kStartNodes
                  : action.text == "partitionNodes" ? Action::What::kPartitionNodes
                                                    : Action::What::kHealNodes;
    MINIK_TRY(read_nodes(r, body, body_at, action));
  }
  return action;
}

// `cel:` beside `object` or `list`, over the one variable of that name.
Status read_expression(const Reader& r, const Value& v, const std::string& at, std::string_view variable, Expectation& e) {
  const Value& text = v.get("cel");
  const std::string text_at = Reader::child(at, "cel");
  if (!text.is_string()) return r.error(text_at, "must be a text");
  const bool is_list = variable == "objects";
  const control::cel::Environment environment(
      {{std::string(variable), is_list ? control::cel::Type::list({}) : control::cel::Type()}});
  auto program = control::cel::Program::compile(text.as_string(), environment, control::cel::Kind::kBool);
  if (!program) return r.error(text_at, program.error().message);
  e.expression = *std::move(program);
  return {};
}

Status read_selection(const Reader& r, const Value& v, const std::string& at, Expectation& e) {
  MINIK_ASSIGN(const auto kind_name, r.text(v, at, "kind", ""));
  MINIK_ASSIGN(e.selected_kind, r.kind(at, kind_name));
  MINIK_ASSIGN(e.namespace_, r.text(v, at, "namespace", ""));
  MINIK_ASSIGN(e.label_selector, r.text(v, at, "labelSelector", ""));
  MINIK_ASSIGN(e.field_selector, r.text(v, at, "fieldSelector", ""));
  if (!control::LabelSelector::parse(e.label_selector)) return r.error(at + ".labelSelector", "must be one such as app=web,tier!=back");
  if (!control::FieldSelector::parse(e.field_selector)) return r.error(at + ".fieldSelector", "must be one such as spec.nodeName=node-1");
  return {};
}

Result<Expectation> read_expectation(const Reader& r, const Value& v, const std::string& at) {
  MINIK_TRY(r.only(v, at, {"name", "after", "within", "always", "object", "matches", "count", "list", "cel"}));
  Expectation e;
  e.place = r.place(at);
  MINIK_ASSIGN(e.name, r.text(v, at, "name", ""));
  MINIK_ASSIGN(e.after, r.duration(v, at, "after", {}));
  const bool always = v.get("always").as_bool();
  if (v.contains("within") == always) return r.error(at, "needs either `within: <duration>` or `always: true`");
  if (!always) {
    MINIK_ASSIGN(e.within, r.duration(v, at, "within", {}));
  }
  if (v.contains("object") + v.contains("count") + v.contains("list") != 1) {
    return r.error(at, "needs one of `object` (with `matches` or `cel`), `count` and `list` (with `cel`)");
  }
  if (v.contains("count") ? v.contains("cel") || v.contains("matches") : v.contains("cel") == v.contains("matches")) {
    return r.error(at, "needs one of `matches` and `cel` beside `object`, `cel` beside `list`, neither beside `count`");
  }
  if (v.contains("list")) {
    const std::string list_at = at + ".list";
    MINIK_TRY(r.only(v.get("list"), list_at, {"kind", "namespace", "labelSelector", "fieldSelector"}));
    MINIK_TRY(read_selection(r, v.get("list"), list_at, e));
    if (!v.contains("cel")) return r.error(at, "needs `cel` beside `list`");
    MINIK_TRY(read_expression(r, v, at, "objects", e));
    return e;
  }
  if (v.contains("object")) {
    MINIK_TRY(r.only(v.get("object"), at + ".object", {"kind", "namespace", "name"}));
    MINIK_ASSIGN(e.object, r.reference(v.get("object"), at + ".object"));
    if (v.contains("cel")) {
      MINIK_TRY(read_expression(r, v, at, "object", e));
      return e;
    }
    e.matches = v.get("matches");
    if (!e.matches.is_map()) return r.error(at, "needs `matches` beside `object`");
    return e;
  }
  const Value& count = v.get("count");
  const std::string count_at = at + ".count";
  MINIK_TRY(r.only(count, count_at, {"kind", "namespace", "labelSelector", "fieldSelector", "condition", "equals", "atLeast", "atMost"}));
  MINIK_TRY(read_selection(r, count, count_at, e));
  MINIK_ASSIGN(e.condition, r.text(count, count_at, "condition", ""));
  for (const auto& [name, into] : {std::pair{"equals", &e.equals}, std::pair{"atLeast", &e.at_least}, std::pair{"atMost", &e.at_most}}) {
    if (!count.contains(name)) continue;
    MINIK_ASSIGN(*into, r.number(count, count_at, name, 0));
  }
  if (!e.equals && !e.at_least && !e.at_most) return r.error(count_at, "needs equals, atLeast or atMost");
  return e;
}

template <typename T>
Status read_list(const Reader& r, const Value& list, const std::string& at, std::vector<T>& into,
                 Result<T> (*read)(const Reader&, const Value&, const std::string&)) {
  if (!list.has_value()) return {};
  if (!list.is_array()) return r.error(at, "must be a list");
  for (size_t i = 0; i < list.size(); ++i) {
    MINIK_ASSIGN(auto item, read(r, list.items()[i], cat(at, "[", i, "]")));
    into.push_back(std::move(item));
  }
  return {};
}

}  // namespace

Result<Scenario> parse_scenario(std::string_view text, std::string_view file_name) {
  MINIK_ASSIGN(const auto documents, control::parse_yaml(text, file_name));
  if (documents.size() != 1) {
    return Error(ErrorCode::kBadRequest, cat(file_name, ": a scenario file holds one document, this one ", documents.size()));
  }
  const Reader r(documents[0], std::string(file_name));
  const Value& root = documents[0].value;
  MINIK_TRY(r.only(root, "", {"apiVersion", "kind", "metadata", "spec"}));
  if (root.get("apiVersion").as_string() != "minik.dev/v1alpha1" || root.get("kind").as_string() != "Scenario") {
    return r.error("apiVersion", "must be minik.dev/v1alpha1 with kind Scenario");
  }
  Scenario s;
  MINIK_TRY(r.only(root.get("metadata"), "metadata", {"name", "description", "source"}));
  MINIK_ASSIGN(s.name, r.text(root.get("metadata"), "metadata", "name", ""));
  MINIK_ASSIGN(s.description, r.text(root.get("metadata"), "metadata", "description", ""));
  if (s.name.empty()) return r.error("metadata", "needs a name");
  const Value& spec = root.get("spec");
  MINIK_TRY(r.only(spec, "spec", {"seed", "duration", "nodes", "images", "timeline", "expect", "nodeMonitorGracePeriod"}));
  MINIK_ASSIGN(const auto seed, r.number(spec, "spec", "seed", 0));
  s.seed = static_cast<uint64_t>(seed);
  MINIK_ASSIGN(s.duration, r.duration(spec, "spec", "duration", s.duration));
  MINIK_ASSIGN(s.node_grace, r.duration(spec, "spec", "nodeMonitorGracePeriod", s.node_grace));
  MINIK_TRY(read_list(r, spec.get("nodes"), "spec.nodes", s.pools, read_pool));
  MINIK_TRY(read_list(r, spec.get("images"), "spec.images", s.images, read_image));
  MINIK_TRY(read_list(r, spec.get("timeline"), "spec.timeline", s.timeline, read_action));
  MINIK_TRY(read_list(r, spec.get("expect"), "spec.expect", s.expectations, read_expectation));
  if (s.pools.empty()) return r.error("spec", "needs nodes");
  std::ranges::stable_sort(s.timeline, {}, &Action::at);
  return s;
}

Result<std::vector<Action>> parse_actions(std::string_view text, std::string_view file_name) {
  MINIK_ASSIGN(const auto documents, control::parse_yaml(text, file_name));
  std::vector<Action> actions;
  for (const auto& document : documents) {
    const Reader r(document, std::string(file_name));
    const auto read = [&](const Value& value, const std::string& at) -> Status {
      if (!value.is_map()) return r.error(at, "must be an action such as crashNodes: {count: 3}");
      if (value.contains("at")) return r.error(Reader::child(at, "at"), "it happens now: leave `at` out");
      MINIK_ASSIGN(auto action, read_action(r, value.with("at", "0s"), at));
      actions.push_back(std::move(action));
      return {};
    };
    if (!document.value.is_array()) MINIK_TRY(read(document.value, ""));
    for (size_t i = 0; i < document.value.items().size(); ++i) MINIK_TRY(read(document.value.items()[i], cat("[", i, "]")));
  }
  if (actions.empty()) return Error(ErrorCode::kBadRequest, cat(file_name, ": there is no action"));
  return actions;
}

bool contains_part(const Value& whole, const Value& part) {
  if (part.is_map()) {
    return std::ranges::all_of(part.entries(), [&](const control::MapEntry& e) { return contains_part(whole[e.key], e.value); });
  }
  if (part.is_array()) {
    if (whole.size() < part.size()) return false;
    for (size_t i = 0; i < part.size(); ++i) {
      // Items that are objects may stand anywhere: conditions have no order that counts.
      const bool found = std::ranges::any_of(whole.items(), [&](const Value& w) { return contains_part(w, part.items()[i]); });
      if (!found) return false;
    }
    return true;
  }
  return whole == part;
}

}  // namespace minik::sim
