// ById: what a simulated runtime has made, by the id that it gave.
//
// Ids end in a number that grows, so that the table is a row sorted by that number: at a scale of millions finding in
// it costs one or two lines of memory where a tree of strings costs a dozen. References stay valid until the element is
// erased. Otherwise it is used as std::map<std::string, T> is; the order is that of making.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/base/check.h"

namespace minik::sim {

template <typename T>
class ById {
  using Element = std::pair<const std::string, T>;
  struct Slot {
    uint64_t number;
    std::unique_ptr<Element> element;
  };
  using Row = std::vector<Slot>;

  template <typename Base, typename Reached>
  class Iterator {
   public:
    using difference_type = std::ptrdiff_t;
    using value_type = Element;
    using reference = Reached&;
    using pointer = Reached*;
    using iterator_category = std::forward_iterator_tag;
    Iterator() = default;
    explicit Iterator(Base at) : at_(at) {}
    Reached& operator*() const { return *at_->element; }
    Reached* operator->() const { return at_->element.get(); }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    Iterator operator++(int) { return Iterator(at_++); }
    friend bool operator==(const Iterator&, const Iterator&) = default;

   private:
    friend class ById;
    Base at_{};
  };

 public:
  using iterator = Iterator<typename Row::iterator, Element>;
  using const_iterator = Iterator<typename Row::const_iterator, const Element>;

  iterator begin() { return iterator(row_.begin()); }
  iterator end() { return iterator(row_.end()); }
  const_iterator begin() const { return const_iterator(row_.begin()); }
  const_iterator end() const { return const_iterator(row_.end()); }

  iterator find(std::string_view id) { return iterator(place(row_, id)); }
  const_iterator find(std::string_view id) const { return const_iterator(place(row_, id)); }
  bool contains(std::string_view id) const { return find(id) != end(); }
  T& at(std::string_view id) {
    const auto found = find(id);
    CHECK(found != end()) << "no " << id;
    return found->second;
  }
  const T& at(std::string_view id) const { return const_cast<ById*>(this)->at(id); }

  // `id` is new, and its number larger than all before.
  T& add(const std::string& id, T made) {
    const uint64_t number = number_of(id);
    CHECK(row_.empty() || row_.back().number < number) << id << " comes too late";
    row_.push_back({number, std::make_unique<Element>(id, std::move(made))});
    return row_.back().element->second;
  }
  void erase(iterator at) { row_.erase(at.at_); }

 private:
  // The digits at its end.
  static uint64_t number_of(std::string_view id) {
    uint64_t number = 0, weight = 1;
    for (size_t i = id.size(); i > 0 && id[i - 1] >= '0' && id[i - 1] <= '9'; --i, weight *= 10)
      number += static_cast<uint64_t>(id[i - 1] - '0') * weight;
    return number;
  }
  template <typename R>
  static auto place(R& row, std::string_view id) {
    const auto found = std::ranges::lower_bound(row, number_of(id), {}, &Slot::number);
    return found != row.end() && found->element->first == id ? found : row.end();
  }

  Row row_;
};

}  // namespace minik::sim
