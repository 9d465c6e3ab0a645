#include "control/base/typo.h"

#include <algorithm>
#include <vector>

#include "control/base/text.h"

namespace minik {

namespace {

size_t distance(std::string_view from, std::string_view to) {
  // Of the last letter, the one before it, and the one before that.
  std::vector<size_t> row(to.size() + 1), above(to.size() + 1), above_that;
  for (size_t j = 0; j < row.size(); ++j) above[j] = j;
  for (size_t i = 1; i <= from.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= to.size(); ++j) {
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (from[i - 1] == to[j - 1] ? 0 : 1)});
      const bool swapped = i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1];
      if (swapped) row[j] = std::min(row[j], above_that[j - 2] + 1);
    }
    above_that = above;
    above = row;
  }
  return above.back();
}

}  // namespace

std::string perhaps(std::string_view word, std::span<const std::string_view> known) {
  constexpr size_t kWordMax = 100;
  if (word.size() > kWordMax) return "";
  size_t least = 1 + std::min<size_t>(word.size() / 3, 3);
  std::string_view nearest;
  for (const std::string_view name : known) {
    const size_t away = distance(word, name);
    if (away >= least) continue;
    nearest = name;
    least = away;
  }
  return nearest.empty() ? "" : cat(", perhaps ", nearest, " was meant");
}

}  // namespace minik
