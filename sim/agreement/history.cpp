#include "sim/agreement/history.h"

#include <algorithm>
#include <functional>

#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"

namespace minik::sim {

namespace keys = control::keys;
using control::MapBuilder;
using control::Value;

namespace {

constexpr std::string_view kAbsent = "absent";
constexpr size_t kDrawnEnd = 5;       // characters that the API server draws for a generateName…
constexpr size_t kDrawnBaseMax = 58;  // …of which it keeps so many

// Left out wherever they stand.
constexpr std::string_view kLeftOut[] = {"uid", "resourceVersion", "managedFields", "creationTimestamp", "generateName",
                                         "nodeName", "hostname", "zone", "tolerations"};
constexpr std::string_view kAddresses[] = {"podIP", "hostIP", "ip", "clusterIP", "addresses", "podIPs", "hostIPs", "clusterIPs"};
constexpr std::string_view kIdentities[] = {"containerID", "imageID"};
// How many of something: the way to the last number is a matter of pace.
constexpr std::string_view kCounts[] = {
    "replicas", "readyReplicas", "availableReplicas", "updatedReplicas", "unavailableReplicas", "terminatingReplicas",
    "fullyLabeledReplicas", "currentReplicas", "active", "ready", "succeeded", "failed", "terminating",
    "uncountedTerminatedPods", "numberReady", "numberAvailable", "numberUnavailable", "updatedNumberScheduled",
    "desiredNumberScheduled", "currentNumberScheduled", "observedGeneration", "endpoints", "currentHealthy", "desiredHealthy",
    "disruptionsAllowed", "disruptedPods", "expectedPods"};

// What a registry or a kernel said to a runtime; each says it in words of its own.
constexpr std::string_view kOthersWords[] = {"ErrImagePull", "ImagePullBackOff", "StartError", "RunContainerError"};

bool is_one_of(std::span<const std::string_view> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

bool is_time(std::string_view key) {
  return key.ends_with("Time") || key.ends_with("-time") || key.ends_with("Timestamp") || key == "startedAt" || key == "finishedAt" || key == "timeAdded";
}

bool is_uuid(std::string_view text) {
  return text.size() == 36 && std::ranges::count(text, '-') == 4 &&
         std::ranges::all_of(text, [](char c) { return c == '-' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) text.replace(at, from.size(), to);
}

// "10.4.0.12" and uuids inside sentences, and the drawn ends of names that no object has: of a token's volume, and of a pod
// that was refused.
std::string without_numbers_of_a_run(std::string text) {
  constexpr std::string_view kToken = "kube-api-access-";
  if (const size_t at = text.find(kToken); at != std::string::npos) {
    text.replace(std::min(text.size(), at + kToken.size()), kDrawnEnd, "*");
  }
  constexpr std::string_view kRefused = "\" is forbidden: ";
  const size_t refused = text.find(kRefused);
  const bool is_drawn_pod = text.starts_with("pods \"") && refused != std::string::npos && refused > kDrawnEnd && text[refused - kDrawnEnd - 1] == '-';
  if (is_drawn_pod) text.replace(refused - kDrawnEnd, kDrawnEnd, "*");
  std::string result, word;
  const auto finish = [&] {
    const bool address = std::ranges::count(word, '.') == 3 &&
                         std::ranges::all_of(word, [](char c) { return c == '.' || (c >= '0' && c <= '9'); });
    result += address ? "ADDRESS" : is_uuid(word) ? "UID" : word;
    word.clear();
  };
  for (const char c : text) {
    const bool inside = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-';
    if (inside) {
      word += c;
      continue;
    }
    finish();
    result += c;
  }
  finish();
  return result;
}

Value normal(const Value& value, std::string_view key, const std::map<std::string, std::string>& drawn) {
  if (is_one_of(kAddresses, key)) return "ADDRESS";
  if (is_one_of(kIdentities, key)) return value.as_string().empty() ? Value("") : Value("ID");
  if (value.is_string()) {
    if (is_time(key)) return "TIME";
    std::string text = value.string();
    for (const auto& [name, group] : drawn) replace_all(text, name, group);
    return without_numbers_of_a_run(std::move(text));
  }
  if (value.is_map()) {
    MapBuilder builder;
    for (const auto& [child, item] : value.entries()) {
      if (!is_one_of(kLeftOut, child.text())) builder.set(child, normal(item, child.text(), drawn));
    }
    if (is_one_of(kOthersWords, value[keys::kReason].as_string()) && value[keys::kMessage].has_value()) {
      builder.set(keys::kMessage, "WHY");
    }
    return std::move(builder).build();
  }
  if (!value.is_array()) return value;
  std::vector<Value> items;
  for (const auto& item : value.items()) items.push_back(normal(item, {}, drawn));
  // Endpoints come in any order.
  if (key == "endpoints") std::ranges::sort(items, {}, [](const Value& item) { return control::to_json(item); });
  return Value::array(std::move(items));
}

// What an item of a list is known by, else its place.
std::string item_name(const Value& item, size_t index) {
  for (const char* key : {"type", "name", "uid", "conditionType", "containerPort", "key"}) {
    const Value& value = item.get(key);
    if (value.is_string()) return value.string();
    if (value.is_int()) return cat(value.as_int());
  }
  return cat(index);
}

void flatten(const Value& value, const std::string& path, std::string_view key, std::map<std::string, std::string>& into) {
  if (value.is_map() && !value.empty() && !is_one_of(kCounts, key)) {
    for (const auto& [child, item] : value.entries()) {
      flatten(item, path.empty() ? std::string(child.text()) : cat(path, ".", child.text()), child.text(), into);
    }
    return;
  }
  if (value.is_array() && !value.empty() && !is_one_of(kCounts, key)) {
    for (size_t i = 0; i < value.size(); ++i) flatten(value.items()[i], cat(path, "[", item_name(value.items()[i], i), "]"), {}, into);
    return;
  }
  into[path] = control::to_json(value);
}

// Only of the object itself: a container's `ready` is no number.
bool is_count(std::string_view path) {
  constexpr std::string_view kStatus = "status.";
  return path.starts_with(kStatus) ? is_one_of(kCounts, path.substr(kStatus.size())) : path == "endpoints";
}

StateHistory history_of(const std::vector<Value>& states, bool deleted, const std::map<std::string, std::string>& drawn) {
  StateHistory history;
  std::map<std::string, std::string> before;
  size_t state = 0;
  const auto take = [&](const std::map<std::string, std::string>& now) {
    for (const auto& [path, value] : now) {
      if (const auto was = before.find(path); was != before.end() && was->second == value) continue;
      auto& changes = history.paths[path];
      if (is_count(path)) changes.clear();
      changes.push_back({state, value});
    }
    for (const auto& [path, value] : before) {
      if (now.contains(path)) continue;
      auto& changes = history.paths[path];
      if (is_count(path)) changes.clear();
      changes.push_back({state, std::string(kAbsent)});
    }
    before = now;
    ++state;
  };
  for (const auto& object : states) {
    std::map<std::string, std::string> flat;
    flatten(normal_form(object, drawn), "", {}, flat);
    // Absent and zero are the same count.
    std::erase_if(flat, [](const auto& entry) { return is_count(entry.first) && (entry.second == "0" || entry.second == "{}"); });
    flat["exists"] = "true";
    take(flat);
    for (const auto& list : {keys::kInitContainerStatuses, keys::kContainerStatuses}) {
      for (const auto& status : object[keys::kStatus][list].items()) {
        const std::string name = status[keys::kName].string();
        const bool restarted = status[keys::kRestartCount].as_int() > 0;
        if (restarted) history.restarted.insert(name);
        if (restarted || status[keys::kState][keys::kTerminated].has_value()) history.ended.insert(name);
      }
    }
  }
  if (deleted) {
    before.erase("exists");
    history.paths["exists"].push_back({state, "false"});
  }
  return history;
}

}  // namespace

Value normal_form(const Value& object, const std::map<std::string, std::string>& drawn) {
  return normal(object.without(keys::kApiVersion).without(keys::kKind), {}, drawn);
}

void HistoryRecorder::see(std::string_view kind, const Value& object) {
  const Value& metadata = object[keys::kMetadata];
  auto& seen = by_uid_[metadata[keys::kUid].string()];
  if (seen.states.empty()) {
    seen.kind = std::string(kind);
    seen.name = metadata[keys::kName].string();
    const std::string prefix = metadata[keys::kGenerateName].string();
    // Pods of a StatefulSet have a generateName, too, but numbers for names.
    const auto kept = std::string_view(prefix).substr(0, kDrawnBaseMax);
    const bool is_drawn = !prefix.empty() && seen.name.starts_with(kept) && seen.name.size() == kept.size() + kDrawnEnd;
    seen.group = is_drawn ? prefix + "*" : seen.name;
  }
  seen.states.push_back(object);
}

void HistoryRecorder::see_deletion(std::string_view kind, const Value& object) {
  const auto found = by_uid_.find(object[keys::kMetadata][keys::kUid].string());
  if (found == by_uid_.end()) see(kind, object);
  by_uid_[object[keys::kMetadata][keys::kUid].string()].deleted = true;
}

WorldHistory HistoryRecorder::history() const {
  std::map<std::string, std::string> drawn;
  for (const auto& [uid, seen] : by_uid_) {
    if (seen.name != seen.group) drawn[seen.name] = seen.group;
  }
  WorldHistory history;
  for (const auto& [uid, seen] : by_uid_) {
    const auto namespace_ = control::object_namespace(seen.states.front());
    history[cat(seen.kind, " ", namespace_, namespace_.empty() ? "" : "/", seen.group)].push_back(
        history_of(seen.states, seen.deleted, drawn));
  }
  return history;
}

}  // namespace minik::sim
