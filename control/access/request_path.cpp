#include "control/access/request_path.h"

#include <vector>

#include "control/base/text.h"

namespace minik::control {

namespace {

std::string_view verb_of(std::string_view method, bool named, bool watch) {
  if (method == "POST") return "create";
  if (method == "PUT") return "update";
  if (method == "PATCH") return "patch";
  if (method == "DELETE") return named ? "delete" : "deletecollection";
  return watch ? "watch" : named ? "get" : "list";
}

}  // namespace

PathAttributes attributes_of_path(std::string_view method, std::string_view path) {
  PathAttributes asked;
  std::vector<std::string_view> parts;
  for (const auto part : split(path, '/')) {
    if (!part.empty()) parts.push_back(part);
  }
  const bool core = !parts.empty() && parts[0] == "api", grouped = !parts.empty() && parts[0] == "apis";
  const size_t first = core ? 2 : 3;  // where the resource stands
  if ((!core && !grouped) || parts.size() <= first) {
    asked.verb = to_lower(method);
    asked.path = path;
    return asked;
  }
  if (grouped) asked.group = parts[1];
  parts.erase(parts.begin(), parts.begin() + static_cast<ptrdiff_t>(first));
  const bool watch = parts[0] == "watch" && parts.size() > 1;
  if (watch) parts.erase(parts.begin());
  if (parts[0] == "namespaces" && parts.size() > 1) {
    asked.namespace_ = parts[1];
    const bool inside = parts.size() > 2 && parts[2] != "status" && parts[2] != "finalize";
    if (inside) parts.erase(parts.begin(), parts.begin() + 2);
  }
  asked.resource = parts[0];
  if (parts.size() > 1) asked.name = parts[1];
  if (parts.size() > 2) asked.subresource = parts[2];
  asked.verb = verb_of(method, !asked.name.empty(), watch);
  return asked;
}

}  // namespace minik::control
