// Field selectors as the API takes them: only the fields that a kind offers, each read as Kubernetes reads it.
//
// A kind offers metadata.name, its namespace where it has one, and what its schema lists as selectable. A field that is
// absent reads as the zero of its type ("", "0", "false"), as a Go client that never sees absence expects. Two
// labels are not paths of their object: an Event's `source` is its component and a Job's `status.successful` its
// number of succeeded pods. Anything else is refused with Kubernetes' sentence.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "control/base/result.h"
#include "control/object/value.h"
#include "control/schema/schema.h"

namespace minik::control {

class FieldSelection {
 public:
  static Result<FieldSelection> parse(const ResourceInfo& resource, std::string_view text);

  bool empty() const { return terms_.empty(); }
  bool matches(const Value& object) const;
  // The value that is demanded of this field, or empty.
  std::string_view required(std::string_view path) const;

 private:
  struct Term {
    std::string path;
    std::vector<Key> keys;
    std::vector<Key> otherwise;  // read where the first is empty; none: nothing is
    std::string value;
    bool equal;
    std::string_view when_absent;
  };
  std::vector<Term> terms_;
};

}  // namespace minik::control
