// Rules of a schema: x-kubernetes-validations, expressions in CEL over the value of a place (`self`) and
// what it was before (`oldSelf`).
//
//   rule, message | messageExpression, reason, fieldPath, optionalOldSelf
//
// A rule that names oldSelf is a transition rule: it is asked only where there was a value before, unless
// optionalOldSelf makes the old one an optional value. Every evaluation is metered, and all rules over one
// object share a budget. Complaints are in kube-apiserver's words.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "control/cel/program.h"
#include "control/extension/structural_schema.h"
#include "control/schema/field_error.h"

namespace minik::control {

struct ValidationRule {
  std::string rule, message, reason, field_path;  // field_path without the leading dot
  bool optional_old_self = false, uses_old_self = false;
  cel::Program program;
  std::optional<cel::Program> message_program;
};

struct ValidationRules {
  std::vector<ValidationRule> rules;
};

// What expressions see of a place.
cel::Type cel_type_of(const SchemaNode& node, SchemaLevel level);
cel::Datum datum_of(const SchemaNode& node, const Value& value);

// One ValidationRule of the API. The error is the compiler's.
Result<ValidationRule> compile_rule(const Value& rule, const cel::Type& self);
// Of the list of a node whose children are there; rules that do not compile are left out (crd_validation.h
// refuses them). Null when none is left.
std::unique_ptr<const ValidationRules> compile_rules(const Value& rules, const SchemaNode& node, SchemaLevel level);

// All rules of the root and below. What is unchanged since `old` is forgiven by rules that are no transition rules.
void check_rules(const SchemaNode& root, const Value& document, const Value& old, const FieldPath& at, FieldErrors& errors);

}  // namespace minik::control
