#include "control/admission/match_validation.h"

#include <algorithm>
#include <set>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/schema/names.h"

namespace minik::control {

namespace {

constexpr size_t kConditionsMax = 64;

bool has(const Value& list, std::string_view text) {
  return std::ranges::any_of(list.items(), [&](const Value& item) { return item.as_string() == text; });
}

// A list that is not empty, where * stands alone.
void check_list(const Value& rule, std::string_view field, std::string_view what, const FieldPath& at, FieldErrors& errors) {
  const FieldPath here = at.field(field);
  const Value& list = rule.get(field);
  if (list.empty()) return errors.required(here);
  if (list.items().size() > 1 && has(list, "*")) {
    errors.invalid(here, list, cat("if '*' is present, must not specify other ", what));
  }
}

void check_resources(const Value& resources, const FieldPath& at, FieldErrors& errors) {
  if (resources.empty()) return errors.required(at);
  std::set<std::string, std::less<>> all_parts_of, part_of_all;
  bool bare = false;
  for (size_t i = 0; i < resources.items().size(); ++i) {
    const FieldPath here = at.index(i);
    const std::string_view text = resources.items()[i].as_string();
    const size_t slash = text.find('/');
    if (text.empty()) errors.required(here);
    if (slash == std::string_view::npos) {
      bare = bare || (text != "*" && !text.empty());
      continue;
    }
    const std::string_view resource = text.substr(0, slash), part = text.substr(slash + 1);
    if (all_parts_of.contains(resource)) {
      errors.invalid(here, Value(text), cat("if '", resource, "/*' is present, must not specify ", text));
    }
    if (part_of_all.contains(part)) {
      errors.invalid(here, Value(text), cat("if '*/", part, "' is present, must not specify ", text));
    }
    if (part == "*") all_parts_of.emplace(resource);
    if (resource == "*") part_of_all.emplace(part);
  }
  if (resources.items().size() > 1 && has(resources, "*/*")) {
    errors.invalid(at, resources, "if '*/*' is present, must not specify other resources");
  }
  if (has(resources, "*") && bare) {
    errors.invalid(at, resources, "if '*' is present, must not specify other resources without subresources");
  }
}

}  // namespace

void check_one_of(const Value& value, std::span<const std::string_view> supported, const FieldPath& at, FieldErrors& errors) {
  if (value.as_string().empty()) return errors.required(at);
  if (std::ranges::find(supported, value.as_string()) == supported.end()) errors.not_supported(at, value, supported);
}

void check_request_rule(const Value& rule, RuleOperations operations, const FieldPath& at, FieldErrors& errors) {
  check_list(rule, "operations", "operations", at, errors);
  constexpr std::string_view kChanging[] = {"*", "CONNECT", "CREATE", "UPDATE"};
  if (operations == RuleOperations::kNoDelete) {
    const FieldPath here = at.field("operations");
    // Others than these are no operations at all, which the schema knows.
    if (has(rule.get("operations"), "DELETE")) errors.not_supported(here, Value("DELETE"), kChanging);
  }
  check_list(rule, "apiGroups", "API groups", at, errors);
  check_list(rule, "apiVersions", "API versions", at, errors);
  const FieldPath resources = at.field("resources"), versions = at.field("apiVersions"), names = at.field("resourceNames");
  for (size_t i = 0; i < rule.get("apiVersions").items().size(); ++i) {
    const FieldPath here = versions.index(i);
    if (rule.get("apiVersions").items()[i].as_string().empty()) errors.required(here);
  }
  check_resources(rule.get("resources"), resources, errors);
  std::set<std::string> seen;
  for (size_t i = 0; i < rule.get("resourceNames").items().size(); ++i) {
    const Value& name = rule.get("resourceNames").items()[i];
    const FieldPath here = names.index(i);
    errors.invalid_each(here, name, check_path_segment(name.as_string()));
    if (!seen.insert(name.string()).second) errors.duplicate(here, name);
  }
}

void check_match_resources(const Value& match, RuleOperations operations, const FieldPath& at, FieldErrors& errors) {
  for (const std::string_view field : {"resourceRules", "excludeResourceRules"}) {
    const FieldPath list = at.field(field);
    for (size_t i = 0; i < match.get(field).items().size(); ++i) {
      const FieldPath here = list.index(i);
      check_request_rule(match.get(field).items()[i], operations, here, errors);
    }
  }
}

void check_match_conditions(const Value& conditions, const cel::Environment& environment, const FieldPath& at,
                            FieldErrors& errors) {
  if (conditions.items().size() > kConditionsMax) errors.too_many(at, conditions.items().size(), kConditionsMax);
  std::set<std::string> names;
  for (size_t i = 0; i < conditions.items().size(); ++i) {
    const FieldPath here = at.index(i);
    const FieldPath name_at = here.field("name");
    const Value& condition = conditions.items()[i];
    const Value& name = condition[keys::kName];
    check_expression(condition, "expression", environment, cel::Kind::kBool, here, errors);
    if (name.as_string().empty()) continue;  // which the schema requires
    errors.invalid_each(name_at, name, check_qualified_name(name.as_string()));
    if (!names.insert(name.string()).second) errors.duplicate(name_at, name);
  }
}

void check_expression(const Value& holder, std::string_view field, const cel::Environment& environment,
                      const cel::Type& wanted, const FieldPath& at, FieldErrors& errors) {
  const FieldPath here = at.field(field);
  const Value& expression = holder.get(field);
  if (expression.as_string().empty()) return;  // which the schema requires
  if (trim(expression.as_string()).empty()) return errors.required(here, cat(field, " is not specified"));
  if (auto program = cel::Program::compile(expression.as_string(), environment, wanted); !program) {
    errors.invalid(here, expression, cat("compilation failed: ", program.error().message));
  }
}

}  // namespace minik::control
