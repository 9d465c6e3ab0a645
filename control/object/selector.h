// Label and field selectors, compiled once and matched often.
//
// LabelSelector: the string form of query parameters ("app=web,tier in (a,b),!old") and the object form
// of specs (metav1.LabelSelector: matchLabels and matchExpressions). An empty selector matches
// everything; an absent object form matches nothing, as Kubernetes defines it. Field selectors know =,
// == and != on dotted paths. Errors carry Kubernetes' sentences. Values own their text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "control/base/result.h"
#include "control/object/selector_text.h"
#include "control/object/value.h"

namespace minik::control {

class LabelSelector {
 public:
  // Matches everything.
  LabelSelector() = default;
  static LabelSelector nothing();
  static Result<LabelSelector> parse(std::string_view text);
  // metav1.LabelSelector; absent or null gives nothing().
  static Result<LabelSelector> from_object(const Value& selector);
  // A plain map, as spec.selector of a Service; empty gives nothing().
  static LabelSelector from_map(const Value& labels);

  bool matches(const Value& labels) const;
  bool empty() const { return requirements_.empty() && !nothing_; }
  bool selects_nothing() const { return nothing_; }
  // The canonical string form, sorted by key.
  std::string text() const;

 private:
  using Operator = SelectorOperator;
  struct Requirement {
    Key key;
    Operator op;
    std::vector<Key> values;
  };
  void sort();

  std::vector<Requirement> requirements_;
  bool nothing_ = false;
};

class FieldSelector {
 public:
  static Result<FieldSelector> parse(std::string_view text);

  struct Term {
    std::string path;  // "spec.nodeName"
    std::vector<Key> keys;
    std::string value;
    bool equal = true;
  };
  const std::vector<Term>& terms() const { return terms_; }
  bool empty() const { return terms_.empty(); }
  // A missing field reads as "". Booleans and numbers compare by their text.
  bool matches(const Value& object) const;
  // The value that the selector demands of this path, or empty.
  std::string_view required(std::string_view path) const;

 private:
  std::vector<Term> terms_;
};

}  // namespace minik::control
