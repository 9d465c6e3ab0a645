// Audit policies, from the text to the choice: what is read decides on any request, and what is refused says where.
#include <cstdint>
#include <string_view>

#include "control/base/check.h"
#include "minik/process/audit_log.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using minik::control::Attributes;
  const auto policy = minik::parse_audit_policy({reinterpret_cast<const char*>(data), size}, "policy.yaml");
  if (!policy) {
    CHECK(policy.error().message.starts_with("policy.yaml")) << policy.error().message;
    return 0;
  }
  const minik::control::UserInfo user{"jane", "", {"dev", "system:authenticated"}, {}};
  for (const Attributes& asked : {Attributes{"get", "", "pods", "log", "default", "web"}, Attributes{"list", "apps", "deployments", "", "", ""},
                                  Attributes{"get", "", "", "", "", "", "/healthz"}}) {
    const auto choice = policy->choose(user, asked);
    CHECK(!minik::control::audit_level_name(choice.level).empty());
  }
  return 0;
}
