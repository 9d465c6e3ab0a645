// What the audit log will say of one request beside the request itself: where it came from, and what the
// authorizer and the admission plugins have to add. Made by whoever takes the request (the edge, or the API server
// for a component of its own), completed by the API server; travels with the request (ApiRequest::audit).
// Control thread only, but for what the edge fills in before it hands the request over.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "control/client/request.h"

namespace minik::control {

struct AuditedRequest;

// Empty for components of the process.
struct AuditOrigin {
  std::string uri;  // with the query
  std::vector<std::string> source_ips;
  std::string user_agent;
  std::optional<UserInfo> impersonator;  // who sent it, when the request is made as somebody else
};

class AuditContext {
 public:
  explicit AuditContext(AuditOrigin from = {}) : origin(std::move(from)) {}

  // The first word on a key stays.
  void annotate(std::string key, std::string value) { annotations.try_emplace(std::move(key), std::move(value)); }

  AuditOrigin origin;
  std::map<std::string, std::string> annotations;
  std::shared_ptr<const AuditedRequest> request;  // null: the policy wants nothing to be said
};

}  // namespace minik::control
