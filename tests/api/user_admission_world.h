// An API server that asks simulated webhooks, and short ways to webhooks, policies and the configmaps that they see.
#pragma once

#include "sim/webhooks.h"
#include "tests/api/custom_world.h"

namespace minik::control {

inline constexpr const char* kMaps = "/api/v1/namespaces/default/configmaps";
inline constexpr const char* kHooks = "/apis/admissionregistration.k8s.io/v1/";

class UserAdmissionTest : public CustomWorld {
 protected:
  UserAdmissionTest() { begin_with(&webhooks); }

  CustomAnswer post(const std::string& resource, const std::string& yaml) {
    const auto parsed = parse_yaml(yaml, "document");
    CHECK(parsed.ok()) << parsed.error().message;
    auto made = call("POST", cat(kHooks, resource), (*parsed)[0].value);
    EXPECT_EQ(made.status, 201) << made.message();
    return made;
  }
  // A webhook that sees configmaps; `more` are fields of it.
  void register_webhook(const std::string& resource, const std::string& name, const std::string& more = "") {
    post(resource, cat("metadata: {name: ", name, "}\nwebhooks:\n- name: ", name, R"(
  clientConfig: {url: "https://hooks.test/check"}
  admissionReviewVersions: [v1]
  sideEffects: None
  rules: [{apiGroups: [""], apiVersions: [v1], resources: [configmaps], operations: [CREATE, UPDATE, DELETE]}]
)", more.empty() ? "" : cat("  ", more, "\n")));
  }
  CustomAnswer create_map(const std::string& name, const std::string& query = "") {
    return send("POST", cat(kMaps, query), cat(R"({"metadata":{"name":")", name, R"("},"data":{"a":"1"}})"));
  }
  CustomAnswer change_map(const std::string& name, const std::string& data) {
    return send("PATCH", cat(kMaps, "/", name), cat(R"({"data":)", data, "}"), "application/merge-patch+json");
  }

  sim::SimulatedWebhooks webhooks{executor, Rng(1), [](const std::string&) { return true; }};
};

}  // namespace minik::control
