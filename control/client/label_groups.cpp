#include "control/client/label_groups.h"

#include <algorithm>

#include "control/base/check.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"

namespace minik::control {

namespace {

const Value& labels_of(const Value& object) {
  return object[keys::kMetadata][keys::kLabels];
}

// No labels are the same as empty ones.
uint64_t hash_of(const Value& labels) {
  return labels.empty() ? 0 : labels.hash();
}

}  // namespace

void LabelGroups::change(const Value& before, const Value& after) {
  // A put replaces its like: only what leaves its group must be taken out.
  const bool stays = before.has_value() && after.has_value() && labels_of(before) == labels_of(after);
  if (before.has_value() && !stays) remove(before);
  if (after.has_value()) add(after);
}

void LabelGroups::add(const Value& object) {
  const Value& labels = labels_of(object);
  const auto namespace_ = object_namespace(object);
  auto home = groups_.find(namespace_);
  if (home == groups_.end()) home = groups_.emplace(namespace_, ByHash()).first;
  auto& alike = home->second[hash_of(labels)];
  auto group = std::ranges::find(alike, labels, &Group::labels);
  if (group == alike.end()) {
    alike.push_back({labels, {}});
    group = std::prev(alike.end());
  }
  group->members.put(object);
}

void LabelGroups::remove(const Value& object) {
  const auto home = groups_.find(object_namespace(object));
  CHECK(home != groups_.end()) << "no objects of the namespace of " << key_of(object).text();
  const auto alike = home->second.find(hash_of(labels_of(object)));
  CHECK(alike != home->second.end()) << "no object is labelled like " << key_of(object).text();
  const auto group = std::ranges::find(alike->second, labels_of(object), &Group::labels);
  group->members.erase(object_namespace(object), object_name(object));
  if (group->members.size() > 0) return;
  alike->second.erase(group);
  if (alike->second.empty()) home->second.erase(alike);
  if (home->second.empty()) groups_.erase(home);
}

std::vector<Value> LabelGroups::selected(std::string_view namespace_, const LabelSelector& selector) const {
  std::vector<Value> found;
  const auto home = groups_.find(namespace_);
  if (home == groups_.end()) return found;
  size_t groups = 0;
  for (const auto& [hash, alike] : home->second) {
    for (const auto& group : alike) {
      if (!selector.matches(group.labels)) continue;
      group.members.list({}, found);
      ++groups;
    }
  }
  if (groups > 1) std::ranges::sort(found, {}, [](const Value& object) { return object_name(object); });
  return found;
}

}  // namespace minik::control
