#include "sim/inline_files.h"

#include "control/base/text.h"
#include "control/object/yaml.h"

namespace minik::sim {

using control::Value;

namespace {

// What `apply` and `workloads` take: an object, {file: …}, or a list of them.
Result<Value> inlined(const Value& manifests, const ScenarioFiles& files) {
  std::vector<Value> objects;
  const auto add = [&](const Value& item) -> Status {
    if (!item.is_map() || !item.contains("file")) {
      objects.push_back(item);
      return {};
    }
    const std::string path = item.get("file").string();
    MINIK_ASSIGN(const auto text, files.read(path));
    MINIK_ASSIGN(const auto documents, control::parse_yaml(text, path));
    for (const auto& document : documents) objects.push_back(document.value);
    return {};
  };
  if (manifests.is_array()) {
    for (const auto& item : manifests.items()) MINIK_TRY(add(item));
  } else {
    MINIK_TRY(add(manifests));
  }
  return Value::array(std::move(objects));
}

}  // namespace

Result<Value> with_files_inline(const Value& document, const ScenarioFiles& files) {
  Value whole = document;
  if (const Value& workloads = document.at({"spec", "workloads"}); workloads.has_value()) {
    MINIK_ASSIGN(auto objects, inlined(workloads, files));
    whole = whole.with_at({"spec", "workloads"}, std::move(objects));
  }
  const Value& timeline = document.at({"spec", "timeline"});
  if (!timeline.is_array()) return whole;
  std::vector<Value> entries;
  for (const auto& entry : timeline.items()) {
    if (!entry.contains("apply")) {
      entries.push_back(entry);
      continue;
    }
    MINIK_ASSIGN(auto objects, inlined(entry.get("apply"), files));
    entries.push_back(entry.with("apply", std::move(objects)));
  }
  return whole.with_at({"spec", "timeline"}, Value::array(std::move(entries)));
}

}  // namespace minik::sim
