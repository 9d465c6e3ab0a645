#include "control/api/errors.h"

#include "control/base/text.h"

namespace minik::control {

Error not_found(const ResourceInfo& resource, std::string_view name) {
  return Error(ErrorCode::kNotFound, cat(resource.group_resource(), " ", quoted(name), " not found"));
}

Error already_exists(const ResourceInfo& resource, std::string_view name) {
  return Error(ErrorCode::kAlreadyExists,
               cat(resource.group_resource(), " ", quoted(name), " already exists"));
}

Error conflict(const ResourceInfo& resource, std::string_view name, std::string_view why) {
  return Error(ErrorCode::kConflict, cat("Operation cannot be fulfilled on ",
                                         resource.group_resource(), " ", quoted(name), ": ", why));
}

Error modified_conflict(const ResourceInfo& resource, std::string_view name) {
  return conflict(resource, name,
                  "the object has been modified; please apply your changes to the latest version and "
                  "try again");
}

Error invalid(const ResourceInfo& resource, std::string_view name, std::vector<ErrorCause> causes) {
  std::vector<std::string> parts;
  for (const auto& cause : causes) parts.push_back(cat(cause.field, ": ", cause.message));
  const std::string all = parts.size() == 1 ? parts[0] : cat("[", join(parts, ", "), "]");
  Error error(ErrorCode::kInvalid,
              cat(resource.group_kind(), " ", quoted(name), " is invalid: ", all));
  error.causes = std::move(causes);
  return error;
}

Error forbidden(const ResourceInfo& resource, std::string_view name, std::string_view why) {
  return Error(ErrorCode::kForbidden,
               cat(resource.group_resource(), name.empty() ? "" : " ", name.empty() ? "" : quoted(name),
                   " is forbidden: ", why));
}

}  // namespace minik::control
