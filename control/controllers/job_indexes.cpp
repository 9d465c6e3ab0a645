#include "control/controllers/job_indexes.h"

#include <algorithm>

#include "control/base/text.h"

namespace minik::control {

std::optional<IndexSet> IndexSet::parse(std::string_view text, int64_t limit) {
  IndexSet set;
  if (text.empty()) return set;
  for (const auto part : split(text, ',')) {
    const size_t dash = part.find('-');
    const auto first = parse_int64(part.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : parse_int64(part.substr(dash + 1));
    if (!first || !last || *first < 0 || *last < *first) return std::nullopt;
    if (*first < limit) set.add_range(*first, std::min(*last, limit - 1));
  }
  return set;
}

std::string IndexSet::text() const {
  std::string text;
  for (const auto& [first, last] : ranges_) {
    if (!text.empty()) text += ',';
    text += cat(first);
    if (last != first) text += cat(last == first + 1 ? "," : "-", last);
  }
  return text;
}

bool IndexSet::contains(int64_t index) const {
  const auto after = ranges_.upper_bound(index);
  return after != ranges_.begin() && std::prev(after)->second >= index;
}

void IndexSet::add_range(int64_t first, int64_t last) {
  auto at = ranges_.upper_bound(first);
  if (at != ranges_.begin() && std::prev(at)->second >= first - 1) --at;
  while (at != ranges_.end() && at->first <= last + 1) {
    first = std::min(first, at->first);
    last = std::max(last, at->second);
    count_ -= at->second - at->first + 1;
    at = ranges_.erase(at);
  }
  ranges_.emplace(first, last);
  count_ += last - first + 1;
}

void IndexSet::remove(int64_t index) {
  auto at = ranges_.upper_bound(index);
  if (at == ranges_.begin() || (--at)->second < index) return;
  const auto [first, last] = *at;
  ranges_.erase(at);
  if (first < index) ranges_.emplace(first, index - 1);
  if (index < last) ranges_.emplace(index + 1, last);
  --count_;
}

int64_t IndexSet::common(const IndexSet& other) const {
  int64_t both = 0;
  for (const auto& [first, last] : ranges_) {
    auto at = other.ranges_.upper_bound(first);
    if (at != other.ranges_.begin()) --at;
    for (; at != other.ranges_.end() && at->first <= last; ++at) {
      both += std::max<int64_t>(0, std::min(last, at->second) - std::max(first, at->first) + 1);
    }
  }
  return both;
}

}  // namespace minik::control
