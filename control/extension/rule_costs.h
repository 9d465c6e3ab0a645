// What the rules of a schema may cost, estimated before any of them runs: each rule by the sizes that maxLength, maxItems
// and maxProperties allow, times the places of one document where it is asked. Kubernetes' limits, and its words for what
// is beyond them. A size that is not bounded is what fits into a request.
//
// Made for one schema; check() for each rule, check_total() at the end. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "control/extension/rules.h"
#include "control/extension/structural_schema.h"
#include "control/schema/field_error.h"

namespace minik::control {

inline constexpr uint64_t kRuleCostMax = 10'000'000;          // Kubernetes' StaticEstimatedCostLimit
inline constexpr uint64_t kDefinitionCostMax = 100'000'000;   // and its StaticEstimatedCRDCostLimit
inline constexpr uint64_t kRequestBytesMax = 3 * 1024 * 1024;  // which bounds what nobody else bounds

class RuleCosts {
 public:
  // `places`: how many of them a document may have; nothing: as many as fit into a request. `at` is the rule.
  void check(const ValidationRule& rule, const SchemaNode& node, SchemaLevel level, std::optional<uint64_t> places,
             const FieldPath& at, FieldErrors& errors);
  // `at` is the schema.
  void check_total(const FieldPath& at, FieldErrors& errors) const;

 private:
  void note(uint64_t cost, std::string_view field, std::string_view what, const FieldPath& at, FieldErrors& errors);

  uint64_t total_ = 0;
  std::multimap<uint64_t, std::string, std::greater<>> dearest_;  // paths by cost
};

// The places below a list or map, given those of itself and its own limit.
std::optional<uint64_t> places_below(std::optional<uint64_t> places, std::optional<int64_t> limit);

}  // namespace minik::control
