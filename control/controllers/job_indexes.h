// IndexSet: completion indexes of an Indexed Job in the compressed form of its status.
//
// Text: increasing, separated by commas, three or more in a row as "first-last": "1,3-5,7". Held as ranges,
// so that a hundred thousand finished indexes cost what their gaps cost. A plain value.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace minik::control {

class IndexSet {
 public:
  // Nothing for text of another form. Indexes from `limit` on are left out: the Job has been made smaller.
  static std::optional<IndexSet> parse(std::string_view text, int64_t limit);
  std::string text() const;

  bool contains(int64_t index) const;
  int64_t count() const { return count_; }
  bool empty() const { return count_ == 0; }
  void add(int64_t index) { add_range(index, index); }
  void add_range(int64_t first, int64_t last);
  void remove(int64_t index);
  // How many of these are in both.
  int64_t common(const IndexSet& other) const;

  friend bool operator==(const IndexSet&, const IndexSet&) = default;

 private:
  std::map<int64_t, int64_t> ranges_;  // first -> last, apart from one another
  int64_t count_ = 0;
};

}  // namespace minik::control
