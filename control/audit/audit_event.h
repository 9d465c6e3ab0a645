// The audit.k8s.io/v1 Event of one stage of a request, made of what the API server knew at that stage. Making the
// document is left to whoever writes it, on a thread of his own: the record holds references alone.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "control/audit/audit_policy.h"
#include "control/base/time.h"

namespace minik::control {

// What stays the same over all stages.
struct AuditedRequest {
  std::string id;
  AuditChoice choice;
  std::string uri, verb, user_agent;
  std::vector<std::string> source_ips;
  UserInfo user;          // who sent it
  UserInfo impersonated;  // as whom; no name: as himself
  // What it is about; no resource: only a path.
  std::string group, version, resource, subresource, namespace_, name, uid, resource_version;
  Value object;  // of the request, at the levels that show it
  WallTime received;
};

struct AuditRecord {
  std::shared_ptr<const AuditedRequest> request = {};
  AuditStage stage = AuditStage::kRequestReceived;
  WallTime at = {};
  int code = 0;       // of the answer; 0: there is none yet
  Value status = {};  // a metav1.Status that says more than the code
  Value object = {};  // of the answer, at the level that shows it
  std::map<std::string, std::string> annotations = {};
};

Value audit_event(const AuditRecord& record);

}  // namespace minik::control
