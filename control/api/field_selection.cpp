#include "control/api/field_selection.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/selector.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

struct Alias {
  KindId kind;
  std::string_view label, path, otherwise = {};
};
constexpr Alias kAliases[] = {
    {kinds::kPods, "spec.host", "spec.nodeName"},
    {kinds::kEvents, "source", "source.component", "reportingComponent"},
    {kinds::kJobs, "status.successful", "status.succeeded"},
};

bool is_offered(const ResourceInfo& resource, std::string_view label) {
  if (label == "metadata.name" || (label == "metadata.namespace" && resource.namespaced)) return true;
  const auto offered = split(resource.selectable_fields, ' ');
  return std::ranges::find(offered, label) != offered.end();
}

// Kinds that offer nothing but their names say so in the words of the common machinery, the others in their own.
Error not_offered(const ResourceInfo& resource, std::string_view label) {
  std::string why = cat("field label not supported: ", label);
  if (resource.selectable_fields.empty() && !resource.custom) {
    why = cat(quoted(label), R"( is not a known field selector: only "metadata.name", "metadata.namespace")");
  } else if (resource.id == kinds::kJobs) {
    why = cat("field label ", quoted(label), " not supported for Job");
  }
  return Error(ErrorCode::kBadRequest, why);
}

std::string_view zero_of(const TypeInfo* type, std::span<const Key> path) {
  for (size_t i = 0; type != nullptr && i < path.size(); ++i) {
    const FieldInfo* field = type->field(path[i]);
    if (field == nullptr || field->shape != Shape::kSingle) return "";
    if (i + 1 < path.size()) {
      type = field->type;
      continue;
    }
    const bool number = field->base == BaseType::kInt32 || field->base == BaseType::kInt64;
    return field->base == BaseType::kBool ? "false" : number ? "0" : "";
  }
  return "";
}

// Whether the field reads as `wanted`; nothing is copied, as a list may ask it of a million objects.
bool reads_as(const Value& value, std::string_view wanted, std::string_view when_absent) {
  if (value.is_string()) return value.as_string() == wanted;
  if (value.is_bool()) return wanted == (value.as_bool() ? "true" : "false");
  if (value.is_int()) return parse_int64(wanted) == value.as_int();
  return wanted == when_absent;
}

}  // namespace

Result<FieldSelection> FieldSelection::parse(const ResourceInfo& resource, std::string_view text) {
  MINIK_ASSIGN(const auto parsed, FieldSelector::parse(text));
  FieldSelection selection;
  for (const auto& term : parsed.terms()) {
    if (!is_offered(resource, term.path)) return not_offered(resource, term.path);
    const auto alias = std::ranges::find_if(
        kAliases, [&](const Alias& a) { return a.kind == resource.id && a.label == term.path; });
    const auto keys_of = [](std::string_view path) {
      std::vector<Key> keys;
      for (const auto part : split(path, '.')) keys.emplace_back(part);
      return keys;
    };
    std::vector<Key> keys = term.keys, otherwise;
    if (alias != std::end(kAliases)) {
      keys = keys_of(alias->path);
      if (!alias->otherwise.empty()) otherwise = keys_of(alias->otherwise);
    }
    const auto zero = zero_of(resource.type, keys);
    selection.terms_.push_back({term.path, std::move(keys), std::move(otherwise), term.value, term.equal, zero});
  }
  return selection;
}

bool FieldSelection::matches(const Value& object) const {
  return std::ranges::all_of(terms_, [&](const Term& term) {
    const Value* value = &object;
    for (const auto& key : term.keys) value = &(*value)[key];
    if (!term.otherwise.empty() && value->as_string().empty()) {
      value = &object;
      for (const auto& key : term.otherwise) value = &(*value)[key];
    }
    return reads_as(*value, term.value, term.when_absent) == term.equal;
  });
}

std::string_view FieldSelection::required(std::string_view path) const {
  for (const auto& term : terms_) {
    if (term.equal && term.path == path) return term.value;
  }
  return {};
}

}  // namespace minik::control
