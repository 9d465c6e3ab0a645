// JsonPath: where a printer column or a selectable field finds its value, in the dialect of kubectl:
//
//   .status.conditions[?(@.type=="Ready")].status   .metadata.labels['a/b']   .spec.ports[*].port   .list[-1]
//
// parse() takes text from outside and says what it cannot read; what it read is immutable, and the first
// value that a document has there is what columns show.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "control/base/result.h"
#include "control/object/value.h"

namespace minik::control {

class JsonPath {
 public:
  static Result<JsonPath> parse(std::string_view text);

  // In the order of the document.
  std::vector<Value> find(const Value& document) const;
  // The names of a path of fields alone; empty where it is more than that.
  std::vector<std::string> fields() const;

 private:
  struct Step {
    enum class Kind : uint8_t { kField, kIndex, kAll, kFilter, kDescend };
    Kind kind = Kind::kField;
    std::string name;           // of a field
    int64_t index = 0;
    std::vector<Step> left;     // of a filter: the path below the item
    std::string op;             // "", "==", "!=", "<", "<=", ">", ">="; "" asks whether it is there
    Value right;
  };
  class Parser;
  static void apply(const std::vector<Step>& steps, size_t at, const Value& value, std::vector<Value>& out);
  static bool holds(const Step& filter, const Value& item);

  std::vector<Step> steps_;
};

}  // namespace minik::control
