#include "sim/scenario/reader.h"

#include <algorithm>
#include <set>
#include <utility>

#include "control/api/twin_kinds.h"
#include "control/base/typo.h"
#include "control/controllers/controller_manager.h"
#include "control/schema/schema.h"
#include "sim/component.h"
#include "sim/scenario/manifest_fields.h"

namespace minik::sim {

using control::Value;

namespace {
constexpr int kDistributionDepthMax = 4;
constexpr size_t kChoicesMax = 64;
constexpr Duration kLongestDuration = hours(24 * 3660);
constexpr std::string_view kDurationHint = "must be a duration such as 90s or 2m30s, of ten years at the most";

std::optional<Duration> duration_of(const Value& value) {
  if (value.is_int() && value.as_int() == 0) return Duration{};  // the only one that needs no unit
  const auto parsed = value.is_string() ? parse_duration(value.as_string()) : std::nullopt;
  return parsed && *parsed <= kLongestDuration && Duration{} - *parsed <= kLongestDuration ? parsed : std::nullopt;
}

}  // namespace

std::string Reader::place(const std::string& path) const {
  // What has no line of its own stands on that of what it is a part of.
  std::string part = path;
  for (auto found = document_.lines.find(part);; found = document_.lines.find(part)) {
    if (found != document_.lines.end()) return cat(file_, ":", found->second);
    const size_t end = part.find_last_of(".[");
    if (end == std::string::npos) return cat(file_, ":", document_.line);
    part.resize(end);
  }
}

Error Reader::error(const std::string& path, std::string_view what) const {
  return Error(ErrorCode::kBadRequest, cat(place(path), ": ", path.empty() ? "" : cat(path, ": "), what));
}

Status Reader::only(const Value& map, const std::string& path, const std::vector<std::string_view>& known) const {
  if (!map.is_map()) return error(path, "must be a mapping");
  for (const auto& [key, value] : map.entries()) {
    if (std::ranges::find(known, key.text()) != known.end()) continue;
    std::vector<std::string> names;
    for (const auto name : known) names.emplace_back(name);
    return error(child(path, key.text()), cat("unknown field", perhaps(key.text(), known), "; known here are ", join(names, ", ")));
  }
  return {};
}

Result<std::string> Reader::text(const Value& map, const std::string& path, std::string_view name, std::string fallback) const {
  const Value& value = map.get(name);
  if (!value.has_value()) return fallback;
  if (!value.is_string()) return error(child(path, name), "must be a text");
  return value.string();
}

Result<int64_t> Reader::number(const Value& map, const std::string& path, std::string_view name, int64_t fallback,
                               int64_t min, int64_t max) const {
  const Value& value = map.get(name);
  if (!value.has_value()) return fallback;
  if (!value.is_int()) return error(child(path, name), "must be a whole number");
  if (value.as_int() < min || value.as_int() > max) {
    return error(child(path, name), max == INT64_MAX ? cat("must be at least ", min) : cat("must be from ", min, " to ", max));
  }
  return value.as_int();
}

Result<bool> Reader::boolean(const Value& map, const std::string& path, std::string_view name) const {
  const Value& value = map.get(name);
  if (!value.has_value()) return false;
  if (!value.is_bool()) return error(child(path, name), "must be true or false");
  return value.as_bool();
}

Result<Duration> Reader::duration(const Value& map, const std::string& path, std::string_view name, Duration fallback) const {
  const Value& value = map.get(name);
  if (!value.has_value()) return fallback;
  const auto parsed = duration_of(value);
  if (!parsed || *parsed < Duration{}) return error(child(path, name), kDurationHint);
  return *parsed;
}

Result<Duration> Reader::signed_duration(const Value& map, const std::string& path, std::string_view name,
                                         Duration fallback) const {
  const Value& value = map.get(name);
  if (!value.has_value()) return fallback;
  const auto parsed = duration_of(value);
  if (!parsed) return error(child(path, name), "must be a duration such as 90s or -2m30s");
  return *parsed;
}

Result<control::Quantity> Reader::quantity(const Value& map, const std::string& path, std::string_view name,
                                           std::string_view fallback) const {
  const Value& value = map.get(name);
  if (!value.has_value()) return control::Quantity::parse(fallback);
  if (value.is_int()) return control::Quantity::of(value.as_int());
  auto parsed = control::Quantity::parse(value.as_string());
  if (!parsed) return error(child(path, name), "must be a quantity such as 500m or 2Gi");
  return parsed;
}

Result<control::Quantity> Reader::quantity_within(const Value& map, const std::string& path, std::string_view name,
                                                   std::string_view fallback, std::string_view min, std::string_view max) const {
  MINIK_ASSIGN(const auto amount, quantity(map, path, name, fallback));
  MINIK_ASSIGN(const auto least, control::Quantity::parse(min));
  MINIK_ASSIGN(const auto most, control::Quantity::parse(max));
  if (amount < least || amount > most) return error(child(path, name), cat("must be between ", min, " and ", max));
  return amount;
}

Result<uint32_t> Reader::chance(const Value& map, const std::string& path, std::string_view name, uint32_t fallback) const {
  const Value& value = map.get(name);
  if (!value.has_value()) return fallback;
  const auto refuse = [&] { return error(child(path, name), "must be a share such as 5% or 0.1%"); };
  if (!value.is_string() || !value.as_string().ends_with('%')) return refuse();
  // Percent with up to four digits behind the point.
  std::string_view text = value.as_string();
  text.remove_suffix(1);
  const size_t point = text.find('.');
  std::string digits(text.substr(0, point));
  std::string fraction(point == std::string_view::npos ? "" : text.substr(point + 1));
  if (digits.empty() || digits.size() > 3 || fraction.size() > 4) return refuse();
  fraction.resize(4, '0');
  uint32_t parts = 0;
  for (const char c : digits + fraction) {
    if (c < '0' || c > '9') return refuse();
    parts = parts * 10 + static_cast<uint32_t>(c - '0');
  }
  if (parts > 1'000'000) return refuse();
  return parts;
}

Result<size_t> Reader::word(const Value& map, const std::string& path, std::string_view name,
                            const std::vector<std::string_view>& words, size_t fallback) const {
  const Value& value = map.get(name);
  if (!value.has_value()) return fallback;
  const auto found = std::ranges::find(words, value.as_string());
  if (found == words.end()) {
    std::vector<std::string> known(words.begin(), words.end());
    return error(child(path, name), cat("must be one of ", join(known, ", "), perhaps(value.as_string(), words)));
  }
  return static_cast<size_t>(found - words.begin());
}

Result<std::vector<std::string>> Reader::texts(const Value& map, const std::string& path, std::string_view name) const {
  const Value& list = map.get(name);
  std::vector<std::string> texts;
  if (!list.has_value()) return texts;
  if (!list.is_array()) return error(child(path, name), "must be a list of texts");
  for (const auto& item : list.items()) {
    if (!item.is_string()) return error(child(path, name), "must be a list of texts");
    texts.push_back(item.string());
  }
  return texts;
}

Result<std::map<std::string, std::string>> Reader::text_map(const Value& map, const std::string& path,
                                                            std::string_view name) const {
  const Value& entries = map.get(name);
  std::map<std::string, std::string> texts;
  if (!entries.has_value()) return texts;
  if (!entries.is_map()) return error(child(path, name), "must be a mapping of texts");
  for (const auto& [key, value] : entries.entries()) {
    if (!value.is_string()) return error(child(child(path, name), key.text()), "must be a text");
    texts[std::string(key.text())] = value.string();
  }
  return texts;
}

Result<Distribution> Reader::distribution(const Value& map, const std::string& path, std::string_view name,
                                          Distribution fallback) const {
  const Value& value = map.get(name);
  if (!value.has_value()) return fallback;
  return distribution_at(value, child(path, name), 0, fallback);
}

Result<Distribution> Reader::distribution_at(const Value& value, const std::string& at, int depth, Distribution fallback) const {
  if (!value.is_map()) {
    const auto fixed = duration_of(value);
    if (!fixed || *fixed < Duration{}) return error(at, kDurationHint);
    return Distribution::fixed(*fixed);
  }
  MINIK_TRY(only(value, at, {"min", "max", "exponential", "normal", "logNormal", "choice"}));
  const bool bounds = value.contains("min") || value.contains("max");
  if (value.size() != (bounds ? size_t{value.contains("min")} + value.contains("max") : 1)) {
    return error(at, "needs either min and max, or one of exponential, normal, logNormal and choice");
  }
  if (bounds) {
    MINIK_ASSIGN(const auto min, duration(value, at, "min", Duration{}));
    MINIK_ASSIGN(const auto max, duration(value, at, "max", min));
    if (max < min) return error(at, "max is less than min");
    return Distribution(min, max);
  }
  const std::string kind(value.entries().begin()->key.text());
  const Value& body = value.get(kind);
  const std::string body_at = child(at, kind);
  const auto two = [&](std::string_view first, std::string_view second) -> Result<std::pair<Duration, Duration>> {
    MINIK_TRY(only(body, body_at, {first, second}));
    if (body.size() != 2) return error(body_at, cat("needs ", first, " and ", second));
    MINIK_ASSIGN(const auto a, duration(body, body_at, first, {}));
    MINIK_ASSIGN(const auto b, duration(body, body_at, second, {}));
    return std::pair{a, b};
  };
  if (kind == "exponential") {
    MINIK_TRY(only(body, body_at, {"mean"}));
    MINIK_ASSIGN(const auto mean, duration(body, body_at, "mean", {}));
    if (mean <= Duration{}) return error(body_at, "needs a mean");
    return Distribution::exponential(mean);
  }
  if (kind == "normal") {
    MINIK_ASSIGN(const auto parts, two("mean", "deviation"));
    return Distribution::normal(parts.first, parts.second);
  }
  if (kind == "logNormal") {
    MINIK_ASSIGN(const auto parts, two("median", "p99"));
    if (parts.first <= Duration{} || parts.second < parts.first) return error(body_at, "needs a median, and a p99 above it");
    return Distribution::log_normal(parts.first, parts.second);
  }
  if (depth == kDistributionDepthMax) return error(body_at, "choices within choices within choices: too deep");
  std::vector<Distribution::Choice> choices;
  const auto read_choice = [&](const Value& item, const std::string& item_at) -> Result<Distribution::Choice> {
    MINIK_TRY(only(item, item_at, {"weight", "of"}));
    MINIK_ASSIGN(const auto weight, number(item, item_at, "weight", 1, 0, 1'000'000));
    MINIK_ASSIGN(auto of, distribution_at(item.get("of"), child(item_at, "of"), depth + 1, fallback));
    return Distribution::Choice{static_cast<uint32_t>(weight), std::move(of)};
  };
  MINIK_TRY(read_list(*this, body, body_at, choices, read_choice));
  if (choices.empty() || choices.size() > kChoicesMax) return error(body_at, cat("needs 1 to ", kChoicesMax, " choices, each {weight, of}"));
  return Distribution::choice(std::move(choices));
}

Result<Distribution> Reader::signed_distribution(const Value& map, const std::string& path, std::string_view name) const {
  const Value& value = map.get(name);
  if (!value.has_value()) return Distribution{};
  const std::string at = child(path, name);
  if (!value.is_map()) {
    MINIK_ASSIGN(const auto fixed, signed_duration(map, path, name, {}));
    return Distribution::fixed(fixed);
  }
  MINIK_TRY(only(value, at, {"min", "max"}));
  MINIK_ASSIGN(const auto min, signed_duration(value, at, "min", Duration{}));
  MINIK_ASSIGN(const auto max, signed_duration(value, at, "max", min));
  if (max < min) return error(at, "max is less than min");
  return Distribution(min, max);
}

Result<control::KindId> Reader::kind(const std::string& path, std::string_view name) const {
  // Of two forms of one stored object (twin_kinds.h) the stored one: what is said of it is judged by what is stored.
  for (const auto& resource : control::Schema::builtin().resources()) {
    if (resource.kind == name && resource.has_verb("create") && !control::twin_of(resource.id)) return resource.id;
  }
  if (const auto* custom = definition_of(definitions_, name)) return custom->id;
  std::vector<std::string_view> known;
  for (const auto& resource : control::Schema::builtin().resources()) {
    if (resource.has_verb("create")) known.emplace_back(resource.kind);
  }
  for (const auto& definition : definitions_) known.emplace_back(definition.kind);
  return error(child(path, "kind"), cat("unknown kind ", quoted(name), perhaps(name, known)));
}

Result<ObjectReference> Reader::reference(const Value& map, const std::string& path) const {
  ObjectReference reference;
  MINIK_ASSIGN(reference.kind, text(map, path, "kind", ""));
  MINIK_ASSIGN(reference.namespace_, text(map, path, "namespace", "default"));
  MINIK_ASSIGN(reference.name, text(map, path, "name", ""));
  MINIK_ASSIGN(reference.id, kind(path, reference.kind));
  if (reference.name.empty()) return error(path, "needs a name");
  const auto* custom = definition_of(definitions_, reference.kind);
  const bool is_custom = custom && custom->id == reference.id;
  const bool namespaced = is_custom ? custom->namespaced : control::Schema::builtin().resource(reference.id).namespaced;
  if (!namespaced) reference.namespace_.clear();
  return reference;
}

Result<control::LabelSelector> Reader::labels(const Value& map, const std::string& path) const {
  MINIK_ASSIGN(const auto selector, text(map, path, "labelSelector", ""));
  auto parsed = control::LabelSelector::parse(selector);
  if (!parsed) return error(path + ".labelSelector", "must be one such as app=web,tier!=back");
  return parsed;
}

Result<ObjectSelection> Reader::selection(const Value& map, const std::string& path) const {
  ObjectSelection selection;
  MINIK_ASSIGN(const auto kind_name, text(map, path, "kind", ""));
  MINIK_ASSIGN(selection.kind, kind(path, kind_name));
  MINIK_ASSIGN(selection.namespace_, text(map, path, "namespace", ""));
  MINIK_ASSIGN(selection.labels, labels(map, path));
  MINIK_ASSIGN(const auto fields, text(map, path, "fieldSelector", ""));
  auto parsed = control::FieldSelector::parse(fields);
  if (!parsed) return error(path + ".fieldSelector", "must be one such as spec.nodeName=node-1");
  selection.fields = *std::move(parsed);
  const auto* resource = stored_resource(selection.kind);
  for (const auto& term : selection.fields.terms()) {
    const auto wrong = resource ? complaint_about_path(*resource, term.path) : std::nullopt;
    if (wrong) return error(path + ".fieldSelector", *wrong);
  }
  MINIK_ASSIGN(selection.condition, text(map, path, "condition", ""));
  return selection;
}

namespace {

// Of the control plane, single controllers in both their forms.
std::string perhaps_component(std::string_view name) {
  constexpr std::string_view kSuffix = "-controller";
  std::vector<std::string> known{Component::kControllers.name, Component::kScheduler.name};
  for (const auto& controller : control::controller_names()) {
    known.push_back(controller);
    if (controller.ends_with(kSuffix)) known.push_back(controller.substr(0, controller.size() - kSuffix.size()));
  }
  return perhaps(name, known);
}

}  // namespace

Result<std::string> Reader::component(const std::string& path, std::string_view name) const {
  if (const auto component = component_named(name)) return component->name;
  return error(path, name.empty() ? cat("needs one of ", known_components())
                                  : cat("there is no component ", quoted(name), perhaps_component(name), "; known are ", known_components()));
}

Result<std::string> Reader::component_or_node(const std::string& path, std::string_view name) const {
  if (const auto component = component_named(name)) return component->name;
  if (name == "nodes" || pools_.empty() || names_node(pools_, name)) return std::string(name);
  return error(path, cat("there is no node and no component ", quoted(name), perhaps_component(name), "; known are nodes, names of nodes, ", known_components()));
}

Result<NodeChoice> Reader::nodes(const Value& value, const std::string& path,
                                 std::initializer_list<std::string_view> more_fields) const {
  NodeChoice choice;
  if (value.as_string() == "all") return choice;
  std::vector<std::string_view> known{"names", "pool", "zone", "runs", "count"};
  known.insert(known.end(), more_fields);
  if (!value.is_map()) return error(path, "chooses machines: `all`, or those that are {names: [...], pool: ..., zone: ..., runs: app=web, count: 2}");
  MINIK_TRY(only(value, path, known));
  MINIK_ASSIGN(choice.names, texts(value, path, "names"));
  for (const auto& name : choice.names) {
    if (!pools_.empty() && !names_node(pools_, name)) return error(path + ".names", cat("there is no node ", quoted(name), "; there are ", known_nodes(pools_)));
  }
  MINIK_ASSIGN(choice.pool, text(value, path, "pool", ""));
  MINIK_ASSIGN(choice.zone, text(value, path, "zone", ""));
  if (!pools_.empty()) {
    std::set<std::string> pools, zones;
    for (const auto& pool : pools_) {
      pools.insert(pool.name);
      zones.insert(pool.zones.begin(), pool.zones.end());
      if (const auto labelled = pool.labels.find("topology.kubernetes.io/zone"); labelled != pool.labels.end()) zones.insert(labelled->second);
    }
    const auto known_as = [](const std::set<std::string>& names) { return join({names.begin(), names.end()}, ", "); };
    if (!choice.pool.empty() && !pools.contains(choice.pool)) {
      return error(path + ".pool", cat("there is no pool ", quoted(choice.pool), perhaps(choice.pool, pools), "; known are ", known_as(pools)));
    }
    if (!choice.zone.empty() && !zones.contains(choice.zone)) {
      return error(path + ".zone", zones.empty() ? std::string("no pool of nodes has zones")
                                                 : cat("there is no zone ", quoted(choice.zone), "; known are ", known_as(zones)));
    }
  }
  if (value.contains("runs")) {
    MINIK_ASSIGN(const auto runs, text(value, path, "runs", ""));
    auto parsed = control::LabelSelector::parse(runs);
    if (!parsed || runs.empty()) return error(path + ".runs", "must be a label selector of pods such as app=web");
    choice.runs = *std::move(parsed);
  }
  MINIK_ASSIGN(choice.count, number(value, path, "count", 0));
  if (choice.names.empty() && choice.pool.empty() && choice.zone.empty() && !choice.runs && choice.count < 1) {
    return error(path, "needs names, a pool, a zone, runs or a count of at least 1; `all` stands for every node");
  }
  return choice;
}

}  // namespace minik::sim
