// Notes: what of a real cluster a scenario cannot carry over, in words. The same thing said of many objects is one
// line with their number and the first few names; lines come in the order in which they were first said.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "control/base/text.h"

namespace minik::sim {

class Notes {
 public:
  // `what` is the sentence, `name` the object that it is about; without a name it is said once.
  void add(const std::string& what, std::string_view name = {}) {
    const auto [entry, is_new] = by_sentence_.try_emplace(what, lines_.size());
    if (is_new) lines_.push_back({what, {}, 0});
    Line& line = lines_[entry->second];
    if (name.empty()) return;
    if (line.names.size() < kNamesMax) line.names.emplace_back(name);
    ++line.count;
  }

  std::vector<std::string> lines() const {
    std::vector<std::string> result;
    for (const auto& line : lines_) {
      std::string text = line.what;
      if (line.count > 0) text += cat(": ", join(line.names, ", "));
      if (line.count > line.names.size()) text += cat(" and ", line.count - line.names.size(), " more");
      result.push_back(std::move(text));
    }
    return result;
  }

 private:
  static constexpr size_t kNamesMax = 3;
  struct Line {
    std::string what;
    std::vector<std::string> names;
    size_t count;
  };
  std::map<std::string, size_t> by_sentence_;
  std::vector<Line> lines_;
};

}  // namespace minik::sim
