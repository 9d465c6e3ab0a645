// Validation of what webhooks and policies say about the requests that they want to see: rules, selectors, conditions.
// Complaints are at kube-apiserver's paths and in its words. Pure.
#pragma once

#include <span>
#include <string_view>

#include "control/cel/program.h"
#include "control/object/value.h"
#include "control/schema/field_error.h"

namespace minik::control {

// Of a deletion there is nothing left that could be changed.
enum class RuleOperations : uint8_t { kAll, kNoDelete };

// A RuleWithOperations or NamedRuleWithOperations.
void check_request_rule(const Value& rule, RuleOperations operations, const FieldPath& at, FieldErrors& errors);
// A MatchResources; absent is fine.
void check_match_resources(const Value& match, RuleOperations operations, const FieldPath& at, FieldErrors& errors);
void check_match_conditions(const Value& conditions, const cel::Environment& environment, const FieldPath& at,
                            FieldErrors& errors);
// The text of an expression in `holder`: where there is one it must compile.
void check_expression(const Value& holder, std::string_view field, const cel::Environment& environment,
                      const cel::Type& wanted, const FieldPath& at, FieldErrors& errors);
// The text of an enum that may not be absent.
void check_one_of(const Value& value, std::span<const std::string_view> supported, const FieldPath& at, FieldErrors& errors);

}  // namespace minik::control
