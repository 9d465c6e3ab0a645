// AuditPolicy: of which requests the audit log tells how much, as an audit.k8s.io/v1 Policy says it. The first rule
// that fits a request decides; none that fits means that nothing is told. Read strictly: a field that is not known
// is an error, so that a misspelt rule does not silently tell nothing. Immutable, and so for any thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "control/access/attributes.h"
#include "control/base/result.h"
#include "control/client/request.h"
#include "control/object/value.h"

namespace minik::control {

enum class AuditLevel : uint8_t { kNone, kMetadata, kRequest, kRequestResponse };
enum class AuditStage : uint8_t { kRequestReceived, kResponseStarted, kResponseComplete, kPanic };
std::string_view audit_level_name(AuditLevel level);  // "RequestResponse"
std::string_view audit_stage_name(AuditStage stage);  // "ResponseComplete"

struct AuditChoice {
  AuditLevel level = AuditLevel::kNone;
  uint8_t omitted_stages = 0;  // bit n: the n-th stage
  bool omit_managed_fields = false;

  bool omits(AuditStage stage) const { return (omitted_stages >> static_cast<int>(stage)) & 1; }
};

class AuditPolicy {
 public:
  // `lines` of parse_yaml: the error names the line of what is wrong where it is known.
  static Result<AuditPolicy> from(const Value& document, const std::map<std::string, int>& lines = {},
                                  std::string_view file = "policy");

  AuditChoice choose(const UserInfo& user, const Attributes& asked) const;

 private:
  struct GroupResources {
    std::string group;
    std::vector<std::string> resources, names;
  };
  struct Rule {
    AuditChoice choice;
    std::vector<std::string> users, groups, verbs, namespaces, paths;
    std::vector<GroupResources> resources;

    bool fits(const UserInfo& user, const Attributes& asked) const;
    bool fits_resource(const Attributes& asked) const;
  };
  class Reader;
  std::vector<Rule> rules_;
};

}  // namespace minik::control
