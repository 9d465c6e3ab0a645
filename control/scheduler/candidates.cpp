#include "control/scheduler/candidates.h"

#include <algorithm>
#include <map>

#include "control/base/text.h"
#include "control/scheduler/filters.h"

namespace minik::control {

Candidates::Candidates(PodClass pod_class, uint64_t salt) : class_(std::move(pod_class)), salt_(salt) {}

void Candidates::refresh(const NodeTable& table) {
  const uint64_t behind = table.log_end() - std::max(position_, table.log_start());
  if (!built_ || position_ < table.log_start() || behind > table.nodes().size()) {
    order_.clear();
    places_.assign(table.nodes().size(), order_.end());
    for (size_t i = 0; i < table.nodes().size(); ++i) evaluate(table, static_cast<int>(i));
    built_ = true;
  } else {
    places_.resize(std::max(places_.size(), table.nodes().size()), order_.end());
    for (; position_ < table.log_end(); ++position_) evaluate(table, table.changed(position_));
  }
  position_ = table.log_end();
}

void Candidates::evaluate(const NodeTable& table, int node) {
  const auto index = static_cast<size_t>(node);
  if (places_[index] != order_.end()) {
    order_.erase(places_[index]);
    places_[index] = order_.end();
  }
  const NodeEntry& entry = table.nodes()[index];
  if (!entry.used || !why_not(class_, entry).empty()) return;
  places_[index] = order_.insert({score(class_, entry), fnv1a_64(entry.name, salt_), node}).first;
}

std::vector<std::pair<std::string, int>> Candidates::reasons(const NodeTable& table) const {
  std::map<std::string, int> counts;
  for (const auto& node : table.nodes()) {
    if (!node.used) continue;
    for (const auto& reason : why_not(class_, node)) ++counts[reason];
  }
  return {counts.begin(), counts.end()};
}

}  // namespace minik::control
